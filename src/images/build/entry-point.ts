import { readFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { buildErrors } from './errors.ts';
import { staticServerPath } from './static-server.ts';

/** The fields of package.json a build looks at. */
export interface PackageFile {
  readonly name?: string;
  readonly main?: string;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** What an image starts. */
export interface EntryPoint {
  readonly argv: readonly string[];
  /** The static file server has to be in the image. */
  readonly staticSite: boolean;
}

export interface EntryPointInput {
  readonly directory: string;
  /** Undefined: the project has no package.json. */
  readonly packageFile: PackageFile | undefined;
  /** Paths of the code's files, relative to the project. */
  readonly files: ReadonlySet<string>;
  /** Replaces whatever the project says. */
  readonly command: readonly string[] | undefined;
  /** Absolute path of Node in the image, or a name to be found in its PATH. */
  readonly node: string;
  readonly hasShell: boolean;
  /** Version of an image's Node that cannot run TypeScript; undefined when it can, or is unknown. */
  readonly olderNode: string | undefined;
}

const conventional = ['server', 'index', 'app', 'main'].flatMap((name) =>
  ['js', 'mjs', 'cjs', 'ts', 'mts', 'cts'].map((ending) => `${name}.${ending}`),
);

/** Undefined when there is none; a UserError when it cannot be read. */
export async function readPackageFile(directory: string): Promise<PackageFile | undefined> {
  let text: string;
  try {
    text = await readFile(join(directory, 'package.json'), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw buildErrors.sourceUnreadable('package.json', error);
  }
  return parsePackageFile(text);
}

/** Keeps only fields of the right shape: what npm ignores must not fail a build. */
export function parsePackageFile(text: string): PackageFile {
  let value: unknown;
  try {
    value = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    throw buildErrors.packageUnreadable(error);
  }
  if (!isRecord(value)) throw buildErrors.packageUnreadable(undefined);
  const { name, main, scripts, dependencies, optionalDependencies } = value;
  return {
    ...(typeof name === 'string' ? { name } : {}),
    ...(typeof main === 'string' && main !== '' ? { main } : {}),
    scripts: strings(scripts),
    dependencies: strings(dependencies),
    optionalDependencies: strings(optionalDependencies),
  };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function strings(value: unknown): Readonly<Record<string, string>> {
  if (!isRecord(value)) return {};
  return Object.fromEntries(Object.entries(value).filter((pair): pair is [string, string] => typeof pair[1] === 'string'));
}

/**
 * Decides what the container runs: the given command; else package.json's start script; else its main; else a file with a conventional
 * name; else, when there is an index.html, the static file server. Throws a UserError when the file to run is not in the image.
 */
export function chooseEntryPoint(input: EntryPointInput): EntryPoint {
  const { packageFile, files, node } = input;
  if (input.command !== undefined && input.command.length > 0) return { argv: input.command, staticSite: false };
  const script = packageFile?.scripts?.['start']?.trim();
  if (script !== undefined && script !== '') return { argv: fromScript(script, input), staticSite: false };
  if (packageFile !== undefined) {
    const file = [...(packageFile.main === undefined ? [] : resolutions(packageFile.main)), ...conventional].find((name) =>
      files.has(name),
    );
    if (file !== undefined) return { argv: [node, runnable(file, input)], staticSite: false };
  }
  if (files.has('index.html')) return { argv: [node, `/${staticServerPath}`, '/app'], staticSite: true };
  throw packageFile === undefined ? buildErrors.notAProject(input.directory) : buildErrors.noEntry(packageFile.main);
}

/** Options of Node whose value is the next word. */
const optionsWithValue = new Set([
  '-r',
  '--require',
  '--import',
  '--loader',
  '--experimental-loader',
  '-C',
  '--conditions',
  '--env-file',
  '--title',
]);

function fromScript(script: string, input: EntryPointInput): readonly string[] {
  const words = script.split(/\s+/);
  const plain = words[0] === 'node' && !/[|&;<>()$`\\"'*?[\]#~{}!]/.test(script);
  if (!plain) {
    if (!input.hasShell) throw buildErrors.shellMissing(script);
    return ['/bin/sh', '-c', script];
  }
  const argv = words.slice(1);
  const at = entryIndex(argv);
  const entry = at === undefined ? undefined : argv[at];
  if (at !== undefined && entry !== undefined && !entry.startsWith('/')) {
    const file = resolutions(entry).find((name) => input.files.has(name));
    if (file === undefined) throw buildErrors.entryMissing(entry, script);
    // Node looks for server.js when told `server`, but never for server.ts.
    argv[at] = runnable(file, input);
  }
  return [input.node, ...argv];
}

/** Position of the file among Node's arguments; undefined when it runs none (`node -e …`). */
function entryIndex(argv: readonly string[]): number | undefined {
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index] ?? '';
    if (['-e', '--eval', '-p', '--print', '--run', '--test'].some((option) => word === option || word.startsWith(`${option}=`)))
      return undefined;
    if (optionsWithValue.has(word)) index++;
    else if (!word.startsWith('-')) return index;
  }
  return undefined;
}

/** The files Node would try for a name, in its order. */
function resolutions(name: string): readonly string[] {
  const path = posix.normalize(name).replace(/\/$/, '');
  const endings = ['', '.js', '.json', '.mjs', '.cjs', '.ts', '.mts', '.cts'];
  return path === '.' ? ['index.js', 'index.ts'] : [...endings.map((ending) => path + ending), `${path}/index.js`, `${path}/index.ts`];
}

function runnable(file: string, { olderNode }: EntryPointInput): string {
  if (olderNode !== undefined && /\.[mc]?ts$/.test(file)) throw buildErrors.cannotStripTypes(file, olderNode);
  return file;
}
