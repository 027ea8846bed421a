import { until } from '#core/testing.ts';
import net from 'node:net';

/** Time a test waits for something that must happen; it fails after that. */
const patienceMs = 10_000;

/** A client that speaks bytes, so that tests can say exactly what is on the wire. */
export class RawClient implements Disposable {
  readonly socket: net.Socket;
  #received = '';
  #ended = false;
  readonly #watchers = new Set<() => void>();

  constructor(port: number, host = '127.0.0.1') {
    this.socket = net.connect({ port, host, allowHalfOpen: true });
    this.socket.setEncoding('latin1');
    this.socket.on('data', (text: string) => {
      this.#received += text;
      this.#notify();
    });
    const end = () => {
      this.#ended = true;
      this.#notify();
    };
    this.socket.on('end', end);
    this.socket.on('close', end);
    this.socket.on('error', end);
  }

  #notify(): void {
    for (const watcher of this.#watchers) watcher();
  }

  get received(): string {
    return this.#received;
  }
  get ended(): boolean {
    return this.#ended;
  }

  send(text: string | Buffer): this {
    this.socket.write(typeof text === 'string' ? Buffer.from(text, 'latin1') : text);
    return this;
  }

  /** Waits until `done` says so; fails with what was received. */
  async until(done: (received: string) => boolean, what = 'the expected bytes'): Promise<string> {
    if (done(this.#received)) return this.#received;
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const fail = () => reject(new Error(`${what} did not come; received: ${JSON.stringify(this.#received.slice(0, 2000))}`));
    const timer = setTimeout(fail, patienceMs);
    const watcher = () => {
      if (done(this.#received)) resolve(this.#received);
      else if (this.#ended) fail();
    };
    this.#watchers.add(watcher);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#watchers.delete(watcher);
    }
  }

  /** Everything up to the end of the connection. */
  async untilEnd(): Promise<string> {
    await this.until(() => this.#ended, 'the end of the connection');
    return this.#received;
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

/** Waits for a condition that nothing announces. */
export async function eventually(condition: () => boolean, what: string): Promise<void> {
  await until(what, condition, { timeoutMs: patienceMs, everyMs: 2 });
}
