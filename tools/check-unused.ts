import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename, dirname, join, normalize } from 'node:path';

/**
 * Dead code that the linter cannot see, because it looks at one file at a time: modules that nothing imports, exports that
 * nothing uses, neither another file nor their own, values that are exported for nobody, and packages that nothing imports.
 * (Unused locals and imports are the linter's.)
 */
export function checkUnused(): string[] {
  const files = globSync('{src,tools,bench,e2e}/**/*.ts').map((path) => ({ path, text: readFileSync(path, 'utf8') }));
  const used = new Map<string, Set<string>>();
  for (const { path, text } of files) {
    for (const [target, name] of importsOf(path, text)) used.set(target, (used.get(target) ?? new Set()).add(name));
  }
  return [...unusedDependencies(files), ...files.flatMap(({ path, text }) => unusedIn(path, text))];

  function unusedIn(path: string, text: string): string[] {
    if (!path.startsWith('src/') || isTest(path)) return [];
    const names = used.get(path);
    if (names === undefined) return isStarted(path, files) ? [] : [`${path}: nothing imports it`];
    if (names.has('*')) return [];
    return exportsOf(text).flatMap(({ name, isType }) => {
      if (names.has(name)) return [];
      if (occurrences(text, name) < 2) return [`${path}: nothing uses ${name}`];
      // A type that an exported signature names is part of it; the kinds' schemas are there for whoever comes to need them.
      return isType || path.startsWith('src/apis/') ? [] : [`${path}: no other file uses ${name}: it needs no export`];
    });
  }
}

function unusedDependencies(files: readonly { readonly path: string; readonly text: string }[]): string[] {
  const { dependencies = {} } = JSON.parse(readFileSync('package.json', 'utf8')) as { dependencies?: Record<string, string> };
  const sources = files.filter(({ path }) => path.startsWith('src/') && !isTest(path));
  return Object.keys(dependencies)
    .filter((name) => !sources.some(({ text }) => new RegExp(`'${name}['/]`).test(text)))
    .map((name) => `package.json: nothing under src/ imports ${name}`);
}

const isTest = (path: string): boolean => /\.i?test\.ts$/.test(path);

/** Entry points are named in a string: a worker, a process, a test's child. */
function isStarted(path: string, files: readonly { readonly path: string; readonly text: string }[]): boolean {
  const name = basename(path);
  return name === 'main.ts' || files.some((file) => file.path !== path && new RegExp(`['/]${name}'`).test(file.text));
}

function* importsOf(path: string, text: string): Generator<readonly [target: string, name: string]> {
  const named = /(?:import|export)\s+(?:type\s+)?\{([^}]*)\}\s+from\s+'([^']+)'/g;
  for (const [, list = '', specifier = ''] of text.matchAll(named)) yield* each(path, specifier, list);
  for (const [, list = '', specifier = ''] of text.matchAll(/\{([^{}]*)\}\s*=\s*await import\('([^']+)'\)/g))
    yield* each(path, specifier, list);
  for (const [, specifier = '', name = ''] of text.matchAll(/import\('([^']+)'\)\)?\s*\.(\w+)/g)) yield* each(path, specifier, name);
  for (const [, specifier = ''] of text.matchAll(/(?:\*\s+as\s+\w+\s+from|\*\s+from|^import)\s+'([^']+)'/gm))
    yield* each(path, specifier, '*');
  // Kept as a whole, or asked for a type: whatever it is, it is used.
  for (const [, specifier = ''] of text.matchAll(/(?:=> |typeof |return )import\('([^']+)'\)(?!\)?\s*\.)/g))
    yield* each(path, specifier, '*');
}

function* each(path: string, specifier: string, list: string): Generator<readonly [target: string, name: string]> {
  const target = resolve(path, specifier);
  if (target === undefined) return;
  for (const part of list.split(',')) {
    const name = part
      .trim()
      .replace(/^type\s+/, '')
      .split(/\s+as\s+|\s*:\s*/)[0];
    if (name !== undefined && name !== '') yield [target, name];
  }
}

function resolve(path: string, specifier: string): string | undefined {
  const target = specifier.startsWith('#')
    ? `src/${specifier.slice(1)}`
    : specifier.startsWith('.')
      ? normalize(join(dirname(path), specifier))
      : undefined;
  return target !== undefined && existsSync(target) ? target : undefined;
}

/** But not the handle of a kind (`export const pods = resourceOf(…)`), which every kind has for whoever comes to need it. */
function exportsOf(text: string): { readonly name: string; readonly isType: boolean }[] {
  const declared =
    /^export (?:declare )?(?:abstract )?(?:async )?(const|let|function\*?|class|interface|type) (\w+)(?!.* = resourceOf\()/gm;
  return [...text.matchAll(declared)].map(([, word = '', name = '']) => ({ name, isType: word === 'interface' || word === 'type' }));
}

/** How often a name stands in the code, not counting comments. */
function occurrences(text: string, name: string): number {
  const code = text.replaceAll(/\/\*[^]*?\*\/|\/\/.*/g, '');
  return code.match(new RegExp(`\\b${name}\\b`, 'g'))?.length ?? 0;
}
