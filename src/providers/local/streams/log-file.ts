import { closeSync, existsSync, fstatSync, ftruncateSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { isDiskFull } from '#core/errors.ts';

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
 * A full file becomes `<path>.1`, that one `.2` and so on. On a full disk output is dropped rather than the container stopped; the log says so
 * as soon as it can be written to again.
 */
export class LogFile {
  readonly #path: string;
  readonly #limits: LogLimits;
  readonly #now: () => number;
  #fd = -1;
  #bytes = 0;
  #lastMs = 0;
  #sequence = 0;
  #lostBytes = 0;

  constructor(path: string, now: () => number, limits: LogLimits = defaultLimits) {
    this.#path = path;
    this.#limits = limits;
    this.#now = now;
    try {
      this.#open();
    } catch (error) {
      if (!isDiskFull(error)) throw error;
    }
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
    const lost = `${this.#timestamp()} stderr F dormouse: ${this.#lostBytes} bytes of output were lost: no space left on device\n`;
    try {
      this.#write(Buffer.concat(this.#lostBytes === 0 ? parts : [Buffer.from(lost), ...parts]));
      this.#lostBytes = 0;
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      this.#lostBytes += chunk.length;
    }
  }

  #write(record: Buffer): void {
    if (this.#bytes > 0 && this.#bytes + record.length > this.#limits.maxBytes) this.#rotate();
    if (this.#fd < 0) this.#open();
    try {
      for (let at = 0; at < record.length;) at += writeSync(this.#fd, record, at);
    } catch (error) {
      // No record stays half written: the next one would be taken for its end.
      ftruncateSync(this.#fd, this.#bytes);
      throw error;
    }
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

  #open(): void {
    mkdirSync(dirname(this.#path), { recursive: true });
    this.#fd = openSync(this.#path, 'a', 0o640);
    this.#bytes = fstatSync(this.#fd).size;
  }

  #rotate(): void {
    this.close();
    const last = this.#limits.maxFiles - 1;
    rmSync(`${this.#path}.${last}`, { force: true });
    for (let number = last - 1; number >= 1; number--) {
      if (existsSync(`${this.#path}.${number}`)) renameSync(`${this.#path}.${number}`, `${this.#path}.${number + 1}`);
    }
    renameSync(this.#path, `${this.#path}.1`);
    this.#open();
  }
}

const full = Buffer.from('F ');
const partial = Buffer.from('P ');
const lineEnd = Buffer.from('\n');
