import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '#core/clock.ts';
import type { Logger } from '#core/logger.ts';
import type { RouteConfig } from '#gateway/routes/route-config.ts';

const version = 1;
const delayMs = 500;

/**
 * The last known routes on disk, so that a gateway started while the API server is away serves at once. Written some time after a
 * change, whole or not at all; readable by its owner alone, since it holds private keys.
 */
export class RouteSnapshot {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #pending: (() => RouteConfig) | undefined;
  #writing: Promise<void> | undefined;

  constructor(path: string, clock: Clock, logger: Logger) {
    this.#path = path;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Undefined when there is none, or none that can be used. */
  async load(): Promise<RouteConfig | undefined> {
    try {
      const content = JSON.parse(await readFile(this.#path, 'utf8')) as { version?: number; routes?: RouteConfig };
      return content.version === version ? content.routes : undefined;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
        this.#logger.warn('last known routes are unreadable, starting without', { path: this.#path, error });
      }
      return undefined;
    }
  }

  /** Saves what `config` returns when the time has come. */
  save(config: () => RouteConfig): void {
    const waiting = this.#pending !== undefined;
    this.#pending = config;
    if (!waiting) this.#clock.after(delayMs, () => void this.flush());
  }

  /** Writes now what is waiting to be written. */
  async flush(): Promise<void> {
    await this.#writing;
    const config = this.#pending;
    if (config === undefined) return;
    this.#pending = undefined;
    this.#writing = this.#write(config());
    await this.#writing;
  }

  async #write(routes: RouteConfig): Promise<void> {
    const draft = `${this.#path}.${process.pid}`;
    try {
      await mkdir(dirname(this.#path), { recursive: true });
      await writeFile(draft, encode(routes), { mode: 0o600 });
      await rename(draft, this.#path);
    } catch (error) {
      this.#logger.warn('last known routes could not be saved', { path: this.#path, error });
    }
  }
}

/** JSON of rules and backends, which never change once made: a change of one among a thousand must not hold up requests. */
const encoded = new WeakMap<object, string>();

function encode(routes: RouteConfig): string {
  const list = (items: readonly object[]) => `[${items.map(encodeOnce).join(',')}]`;
  const { rules, backends, certificates } = routes;
  return `{"version":${version},"routes":{"rules":${list(rules)},"backends":${list(backends)},"certificates":${JSON.stringify(certificates)}}}`;
}

function encodeOnce(item: object): string {
  const known = encoded.get(item);
  if (known !== undefined) return known;
  const text = JSON.stringify(item);
  encoded.set(item, text);
  return text;
}
