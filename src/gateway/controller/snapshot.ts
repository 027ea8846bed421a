import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '#core/clock.ts';
import type { Logger } from '#core/logger.ts';
import type { RouteConfig } from '#gateway/routes/route-config.ts';

const version = 1;
const delayMs = 500;
/** Of thousands of services the file is large: making it takes at most so much of the time. */
const timeShare = 0.05;
/** Requests get their turn after so many rules or backends. */
const itemsInATurn = 200;

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
  #tookMs = 0;

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
    if (!waiting) this.#clock.after(Math.max(delayMs, this.#tookMs / timeShare), () => void this.flush());
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
      const began = this.#clock.monotonic();
      await writeFile(draft, await encode(routes), { mode: 0o600 });
      this.#tookMs = this.#clock.monotonic() - began;
      await rename(draft, this.#path);
    } catch (error) {
      this.#logger.warn('last known routes could not be saved', { path: this.#path, error });
    }
  }
}

/** JSON, made in pieces. Rules and backends never change once made, so what comes out is the state of one moment. */
async function encode({ rules, backends, certificates }: RouteConfig): Promise<string> {
  const head = `{"version":${version},"routes":{"rules":${await encodeList(rules)}`;
  return `${head},"backends":${await encodeList(backends)},"certificates":${JSON.stringify(certificates)}}}`;
}

async function encodeList(items: readonly object[]): Promise<string> {
  const pieces: string[] = [];
  for (let at = 0; at < items.length; at += itemsInATurn) {
    if (at > 0) await new Promise((resolve) => setImmediate(resolve));
    pieces.push(JSON.stringify(items.slice(at, at + itemsInATurn)).slice(1, -1));
  }
  return `[${pieces.join(',')}]`;
}
