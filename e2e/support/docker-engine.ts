import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram, mustRun, run, Running, until, type RunOptions } from './run.ts';

/** For `it(…, { skip })`: false, or why no Docker engine can be started here. */
export function withoutDockerEngine(): string | false {
  if (process.getuid?.() !== 0) return 'a Docker engine needs root';
  const missing = ['docker', 'dockerd', 'containerd'].find((program) => findProgram(program) === undefined);
  return missing === undefined ? false : `${missing} is not installed`;
}

/**
 * A Docker engine of the test's own: in a directory of its own, without a bridge and without address translation, so that it changes nothing
 * of the machine. Enough to push, pull and build. Disposing of it ends it and removes its files.
 */
export class DockerEngine implements AsyncDisposable {
  readonly #directory: string;
  readonly #engine: Running;

  private constructor(directory: string, engine: Running) {
    this.#directory = directory;
    this.#engine = engine;
  }

  static async start(): Promise<DockerEngine> {
    const directory = await mkdtemp(join(tmpdir(), 'dormouse-docker-'));
    const place = (name: string) => join(directory, name);
    const files = [`--data-root=${place('data')}`, `--exec-root=${place('exec')}`, `--pidfile=${place('pid')}`];
    const network = ['--bridge=none', '--iptables=false', '--ip6tables=false', '--ip-forward=false', '--ip-masq=false'];
    const docker = new DockerEngine(directory, new Running('dockerd', [`--host=unix://${place('sock')}`, ...files, ...network]));
    try {
      await until('the Docker engine', async () => ((await docker.try(['version'])).code === 0 ? true : undefined));
      return docker;
    } catch (error) {
      const { output } = docker.#engine;
      await docker[Symbol.asyncDispose]();
      throw new Error(`${String(error)}\n${output}`, { cause: error });
    }
  }

  /** A docker command that has to succeed; resolves with what it printed. */
  run(args: readonly string[], options: RunOptions = {}): Promise<string> {
    return mustRun('docker', this.#arguments(args), options);
  }

  try(args: readonly string[]): ReturnType<typeof run> {
    return run('docker', this.#arguments(args));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#engine.process.kill('SIGTERM');
    await this.#engine.ended;
    await rm(this.#directory, { recursive: true, force: true });
  }

  #arguments(args: readonly string[]): readonly string[] {
    return [`--host=unix://${join(this.#directory, 'sock')}`, ...args];
  }
}
