import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { UserError } from '#core/errors.ts';
import { digestOf } from '../store/blob-store.ts';
import type { LayerEntry } from './layer-writer.ts';
import { sourceFiles } from './source-files.ts';

const run = promisify(execFile);

interface DependencyOptions {
  /** Where installed dependencies are kept for the next build. */
  readonly cache: string;
  readonly signal: AbortSignal;
  readonly onStatus: (message: string) => void;
  /** Environment of npm; this process's own when undefined. */
  readonly environment: Readonly<Record<string, string | undefined>> | undefined;
}

/**
 * Installs what the lock file names, outside the source directory and once for each lock file. Runs no install scripts: they would run as
 * this process's user, outside any container.
 */
export async function dependencyEntries(directory: string, options: DependencyOptions): Promise<readonly LayerEntry[]> {
  const lock = ['package-lock.json', 'npm-shrinkwrap.json'].find((name) => existsSync(join(directory, name)));
  if (lock === undefined) {
    throw new UserError(`${join(directory, 'package.json')} names dependencies, but there is neither node_modules nor package-lock.json`, {
      hint: `run npm install in ${directory}`,
    });
  }
  const names = ['package.json', lock, '.npmrc'].filter((name) => existsSync(join(directory, name)));
  const contents = await Promise.all(names.map((name) => readFile(join(directory, name))));
  const installed = join(options.cache, `npm-${digestOf(Buffer.concat(contents)).slice('sha256:'.length, 'sha256:'.length + 32)}`);
  if (!existsSync(installed)) await install(directory, names, installed, options);
  return (await sourceFiles(installed, 'app')).dependencies;
}

async function install(
  directory: string,
  names: readonly string[],
  installed: string,
  { onStatus, signal, environment }: DependencyOptions,
): Promise<void> {
  onStatus('npm ci --omit=dev --ignore-scripts');
  const work = `${installed}.new`;
  await rm(work, { recursive: true, force: true });
  await mkdir(work, { recursive: true });
  for (const name of names) await copyFile(join(directory, name), join(work, name));
  try {
    await run('npm', ['ci', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund'], {
      cwd: work,
      signal,
      ...(environment === undefined ? {} : { env: environment as NodeJS.ProcessEnv }),
      maxBuffer: 1 << 24,
    });
  } catch (error) {
    await rm(work, { recursive: true, force: true });
    signal.throwIfAborted();
    const { code, stderr } = error as NodeJS.ErrnoException & { stderr?: string };
    if (code === 'ENOENT')
      throw new UserError('npm is not on the PATH of the node process', { hint: `run npm ci in ${directory} first`, cause: error });
    const said = (stderr ?? '')
      .split('\n')
      .filter((line) => line.includes('npm error'))
      .slice(0, 3)
      .join('; ');
    throw new UserError(`npm ci failed: ${said}`, { hint: `run npm ci in ${directory} to see why`, cause: error });
  }
  await rename(work, installed);
}
