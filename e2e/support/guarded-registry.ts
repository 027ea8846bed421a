import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { findProgram, mustRun, Running, until } from './run.ts';

/** For `it(…, { skip })`: false, or why there can be no registry that asks for a password here. */
export function withoutGuardedRegistry(): string | false {
  const missing = ['docker-registry', 'htpasswd'].find((program) => findProgram(program) === undefined);
  return missing === undefined ? false : `${missing} is not installed`;
}

/** Docker's own registry on a free port of loopback, open only to one user. Disposing of it ends it and removes its files. */
export class GuardedRegistry implements AsyncDisposable {
  readonly user = 'ada';
  readonly password = 'lovelace';
  readonly host: string;
  readonly #directory: string;
  readonly #server: Running;

  private constructor(directory: string, port: number) {
    this.#directory = directory;
    this.host = `localhost:${port}`;
    this.#server = new Running('docker-registry', ['serve', join(directory, 'config.yml')]);
  }

  static async start(): Promise<GuardedRegistry> {
    const directory = await mkdtemp(join(tmpdir(), 'dormouse-registry-'));
    const port = await freePort();
    const users = await mustRun('htpasswd', ['-Bbn', 'ada', 'lovelace']);
    await writeFile(join(directory, 'users'), users);
    const config = {
      version: 0.1,
      storage: { filesystem: { rootdirectory: join(directory, 'data') } },
      http: { addr: `127.0.0.1:${port}` },
      auth: { htpasswd: { realm: 'test', path: join(directory, 'users') } },
    };
    await writeFile(join(directory, 'config.yml'), JSON.stringify(config));
    const registry = new GuardedRegistry(directory, port);
    const answers = () =>
      fetch(`http://${registry.host}/v2/`).then(
        ({ status }) => (status === 401 ? true : undefined),
        () => undefined,
      );
    await until('the registry', answers);
    return registry;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
    await rm(this.#directory, { recursive: true, force: true });
  }
}
