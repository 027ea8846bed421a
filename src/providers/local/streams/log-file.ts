import { closeSync, existsSync, fstatSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

export type OutputName = 'stdout' | 'stderr';

export interface LogLimits {
  readonly maxBytes: number;
  /** Files altogether, the current one included. */
  readonly maxFiles: number;
}

const defaultLimits: LogLimits = { maxBytes: 10 * 2 ** 20, maxFiles: 5 };
const newline = 0x0a;

/**
 * A container's log in CRI format: `<RFC3339Nano> <stream> F|P <text>`. Every chunk is in the file when `append` returns, so a killed agent loses
 * nothing that it took out of the pipe; a line without its end is written as a partial one (P) and goes on in the next record.
 * A full file becomes `<path>.1`, that one `.2` and so on.
 */
export class LogFile {
  readonly #path: string;
  readonly #limits: LogLimits;
  readonly #now: () => number;
  #fd: number;
  #bytes: number;
  #lastMs = 0;
  #sequence = 0;

  constructor(path: string, now: () => number, limits: LogLimits = defaultLimits) {
    this.#path = path;
    this.#limits = limits;
    this.#now = now;
    mkdirSync(dirname(path), { recursive: true });
    this.#fd = openSync(path, 'a', 0o640);
    this.#bytes = fstatSync(this.#fd).size;
  }

  append(stream: OutputName, chunk: Buffer): void {
    const head = Buffer.from(`${this.#timestamp()} ${stream} `);
    const parts: Buffer[] = [];
    for (let at = 0; at < chunk.length;) {
      const end = chunk.indexOf(newline, at);
      const text = chunk.subarray(at, end === -1 ? chunk.length : end);
      parts.push(head, end === -1 ? partial : full, text, lineEnd);
      at = end === -1 ? chunk.length : end + 1;
    }
    const record = Buffer.concat(parts);
    if (this.#bytes > 0 && this.#bytes + record.length > this.#limits.maxBytes) this.#rotate();
    writeSync(this.#fd, record);
    this.#bytes += record.length;
  }

  close(): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
  }

  /** Nanoseconds below the clock's millisecond count upwards, so that records are in order of their times. */
  #timestamp(): string {
    const now = this.#now();
    this.#sequence = now === this.#lastMs ? this.#sequence + 1 : 0;
    this.#lastMs = now;
    return new Date(now).toISOString().replace('Z', `${String(this.#sequence % 1_000_000).padStart(6, '0')}Z`);
  }

  #rotate(): void {
    closeSync(this.#fd);
    const last = this.#limits.maxFiles - 1;
    rmSync(`${this.#path}.${last}`, { force: true });
    for (let number = last - 1; number >= 1; number--) {
      if (existsSync(`${this.#path}.${number}`)) renameSync(`${this.#path}.${number}`, `${this.#path}.${number + 1}`);
    }
    renameSync(this.#path, `${this.#path}.1`);
    this.#fd = openSync(this.#path, 'a', 0o640);
    this.#bytes = 0;
  }
}

const full = Buffer.from('F ');
const partial = Buffer.from('P ');
const lineEnd = Buffer.from('\n');
