import { readFileSync, globSync } from 'node:fs';

/**
 * Imports point down only (ARCHITECTURE.md, "Layers"). Same layer: only within the same part, except where listed.
 * Prints each violation as `file: imports part`, returns their number.
 */
const layers: readonly (readonly string[])[] = [
  ['core', 'apis'],
  ['machinery', 'storage', 'wire'],
  ['apiserver', 'client'],
  ['controller'],
  ['cluster', 'serving', 'autoscaler', 'gateway', 'node', 'providers', 'images', 'eventing', 'builds', 'cloudrun', 'monitoring'],
  ['platform', 'cli'],
];
/** Within a layer, these may use those: apis stand on core; the machinery describes apis; client types serve the in-process transport. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  apis: ['core'],
  platform: ['cli'],
  cli: ['platform'],
  apiserver: ['client'],
};

export function checkLayers(): string[] {
  const level = new Map(layers.flatMap((parts, index) => parts.map((part) => [part, index] as const)));
  const problems: string[] = [];
  for (const file of globSync('src/**/*.ts')) {
    const part = file.split('/')[1] ?? '';
    const own = level.get(part);
    if (own === undefined) {
      problems.push(`${file}: part ${part} has no layer`);
      continue;
    }
    for (const [, target = ''] of readFileSync(file, 'utf8').matchAll(/from '#([a-z]+)\//g)) {
      if (target === part || allowed[part]?.includes(target)) continue;
      const other = level.get(target);
      if (other === undefined || other >= own) problems.push(`${file}: imports ${target}, which is not below ${part}`);
    }
    const forgotten = /^import (?!type )[^;]*from 'node:http';/m.test(readFileSync(file, 'utf8'));
    if (forgotten && !/test\.ts$|\/testing\//.test(file))
      problems.push(`${file}: imports node:http; use #core/node-http.ts, which says why`);
    // Relative paths may stay within the part: `../` must not leave `src/<part>/`.
    for (const [, up = ''] of readFileSync(file, 'utf8').matchAll(/from '((?:\.\.\/)+)/g)) {
      if (up.length / 3 >= file.split('/').length - 2) problems.push(`${file}: imports another part by a relative path; use #part/…`);
    }
  }
  return problems;
}
