import { cp, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ImageTools } from '#images/testing.ts';
import { findProgram, mustRun } from './run.ts';

const baseName = 'docker.io/library/php:8-cli';

/** For `it(…, { skip })`: false, or why a Dockerfile for PHP cannot be built here. */
export const withoutPhpImage: string | false =
  process.getuid?.() !== 0
    ? 'buildah needs root here'
    : (['buildah', 'php', 'ldd'].map((name) => (findProgram(name) === undefined ? `${name} is not installed` : false)).find(Boolean) ??
      false);

/**
 * Builds a Dockerfile that starts `FROM php:8-cli` and pushes the image to `name`, with buildah on storage of its own in `directory`.
 * The base image is not fetched: it is this machine's PHP under that image's name.
 */
export async function buildAndPushPhp(directory: string, context: string, name: string): Promise<void> {
  await using tools = new ImageTools(directory);
  const root = join(directory, 'base');
  await copyProgram('php', join(root, 'usr/local/bin/php'), root);
  await copyProgram('sh', join(root, 'bin/sh'), root);
  await cp('/usr/share/zoneinfo', join(root, 'usr/share/zoneinfo'), { recursive: true });
  const base = (await tools.buildah('from', 'scratch')).trim();
  await tools.buildah('copy', '--quiet', base, root, '/');
  await tools.buildah('config', '--env', 'PATH=/usr/local/bin:/usr/bin:/bin', base);
  await tools.buildah('commit', '--quiet', base, baseName);
  await tools.buildah('bud', '--quiet', '--pull-never', '--isolation', 'chroot', '--tag', name, context);
  await tools.buildah('push', '--quiet', '--tls-verify=false', name);
}

/** Copies a program of this machine, and the shared libraries it needs to their places. */
async function copyProgram(name: string, target: string, root: string): Promise<void> {
  const program = findProgram(name) ?? '';
  const libraries = (await mustRun('ldd', [program])).match(/\/\S+/g) ?? [];
  for (const [from, to] of [[program, target], ...libraries.map((library) => [library, join(root, library)])]) {
    await mkdir(dirname(to ?? ''), { recursive: true });
    await cp(from ?? '', to ?? '', { dereference: true });
  }
}
