import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileError, UserError } from '#core/errors.ts';

/** What a source directory is and how it is started. */
export type Project =
  | { readonly kind: 'node'; readonly command: readonly string[]; readonly needsShell: boolean; readonly dependencies: readonly string[] }
  | { readonly kind: 'static' };

interface PackageFile {
  readonly main?: unknown;
  readonly scripts?: { readonly start?: unknown };
  readonly dependencies?: Readonly<Record<string, unknown>>;
}

const entries = ['server', 'index', 'app', 'main', 'src/server', 'src/index', 'src/main'].flatMap((name) =>
  ['.js', '.mjs', '.cjs', '.ts', '.mts'].map((ending) => `${name}${ending}`),
);

/** Finds out how to run a source directory; a UserError says what is missing. */
export async function detectProject(directory: string): Promise<Project> {
  const info = await stat(directory).catch((error: unknown) => {
    throw fileError(error) ?? new UserError(`cannot read ${directory}: ${(error as Error).message}`, { cause: error });
  });
  if (!info.isDirectory()) throw new UserError(`${directory} is not a directory`);
  const file = await packageFile(directory);
  const dependencies = Object.keys(file?.dependencies ?? {});
  const start = file?.scripts?.start;
  if (typeof start === 'string' && start.trim() !== '') return { kind: 'node', ...startCommand(start.trim()), dependencies };
  const main = file?.main;
  if (typeof main === 'string' && existsSync(join(directory, main))) return node(main, dependencies);
  const found = entries.find((name) => existsSync(join(directory, name)));
  if (found !== undefined) return node(found, dependencies);
  if (existsSync(join(directory, 'index.html'))) return { kind: 'static' };
  if (file === undefined && existsSync(join(directory, 'Dockerfile'))) {
    throw new UserError(`${directory} has a Dockerfile and no Node program or static site: Dockerfiles are not built here`, {
      hint: 'Build it with docker, podman or buildah, push it to localhost:5000/NAME ("dormouse status" says the port), then: dormouse deploy --image localhost:5000/NAME',
    });
  }
  if (file === undefined) {
    throw new UserError(`${directory} has no package.json, no server.js or index.js (or .ts) and no index.html`, {
      hint: 'build a directory with a Node program or a static site in it',
    });
  }
  throw new UserError(
    `${join(directory, 'package.json')} has no start script and no main that exists, and there is no server.js or index.js (or .ts)`,
    {
      hint: 'add "scripts": {"start": "node server.js"}',
    },
  );
}

function node(entry: string, dependencies: readonly string[]): Project {
  return { kind: 'node', command: ['node', entry], needsShell: false, dependencies };
}

/** A plain `node …` script runs without a shell, so that signals reach the program. */
function startCommand(script: string): { command: readonly string[]; needsShell: boolean } {
  if (/^node(\s+[\w@%+=:,./-]+)+$/.test(script)) return { command: script.split(/\s+/), needsShell: false };
  // `exec` takes a program, not an assignment (`A=b node …`), and ends a list of commands after its first.
  const simple = /^[\w./-]+(\s|$)/.test(script) && !/[;&|\n]/.test(script);
  return { command: ['/bin/sh', '-c', simple ? `exec ${script}` : script], needsShell: true };
}

async function packageFile(directory: string): Promise<PackageFile | undefined> {
  const path = join(directory, 'package.json');
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new UserError(`cannot read ${path}: ${(error as Error).message}`, { cause: error });
  }
  try {
    const value = JSON.parse(text) as unknown;
    if (typeof value === 'object' && value !== null) return value;
  } catch (error) {
    throw new UserError(`${path} is not JSON: ${(error as Error).message}`, { cause: error });
  }
  throw new UserError(`${path} is not a JSON object`);
}
