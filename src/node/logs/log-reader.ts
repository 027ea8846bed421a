import { watch } from 'node:fs';
import { open, readdir, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { parseCriLine } from '#node/logs/cri-line.ts';
import type { LogOptions } from '#node/provider.ts';

const chunkBytes = 64 * 1024;
const newline = 0x0a;
/** A single entry longer than this is not a log entry (engines cut lines at 16 KiB) and is dropped, not held in memory. */
const maxEntryBytes = 1024 * 1024;

type ReadOptions = Omit<LogOptions, 'previous'>;

/**
 * Yields the text of a container's log (CRI format) as kubectl shows it, rotated files included. With `follow` it goes on
 * with what is appended until `ended` aborts (and everything written before has been read) or the reader stops.
 * A missing file is an empty log.
 */
export async function* readLog(path: string, options: ReadOptions, ended: AbortSignal): AsyncGenerator<Buffer> {
  const formatter = new LineFormatter(options);
  let budget = options.limitBytes ?? Number.POSITIVE_INFINITY;
  for await (const line of logLines(path, options, ended)) {
    const text = formatter.format(line);
    if (text === undefined) continue;
    if (text.length >= budget) {
      yield text.subarray(0, budget);
      return;
    }
    budget -= text.length;
    yield text;
  }
}

/** Turns CRI entries into output: strips the header, joins pieces of long lines, drops what is too old. */
class LineFormatter {
  readonly #timestamps: boolean;
  #sinceMs: number | undefined;
  #lineStart = true;

  constructor(options: ReadOptions) {
    this.#timestamps = options.timestamps;
    this.#sinceMs = options.sinceMs;
  }

  format(line: Buffer): Buffer | undefined {
    const entry = parseCriLine(line);
    if (entry === undefined) return undefined;
    if (this.#sinceMs !== undefined) {
      if (Date.parse(entry.timestamp) < this.#sinceMs) return undefined;
      this.#sinceMs = undefined;
    }
    const prefix = this.#timestamps && this.#lineStart ? Buffer.from(`${entry.timestamp} `) : Buffer.alloc(0);
    this.#lineStart = entry.complete;
    return Buffer.concat([prefix, entry.content, entry.complete ? Buffer.from('\n') : Buffer.alloc(0)]);
  }
}

async function* logLines(path: string, options: ReadOptions, ended: AbortSignal): AsyncGenerator<Buffer> {
  const files = await logFiles(path);
  const start = options.tailLines === undefined ? { file: 0, offset: 0 } : await tailPosition(files, options.tailLines);
  for (const [index, file] of files.entries()) {
    if (index < start.file) continue;
    const handle = await openOrUndefined(file);
    if (handle === undefined) continue;
    const from = index === start.file ? start.offset : 0;
    if (index === files.length - 1 && options.follow) yield* followLines(path, handle, from, options.signal, ended);
    else yield* fileLines(handle, from, options.signal);
  }
  if (options.follow && files.length === 0) {
    const handle = await waitForFile(path, options.signal, ended);
    if (handle !== undefined) yield* followLines(path, handle, 0, options.signal, ended);
  }
}

/** The log's files that exist, oldest first: rotated ones (`0.log.<n>` or `0.log.<time>`), then `0.log`. */
async function logFiles(path: string): Promise<string[]> {
  const name = basename(path);
  const names = await readdir(dirname(path)).catch((): string[] => []);
  const rotated = names.filter((one) => one.startsWith(`${name}.`) && !one.endsWith('.tmp'));
  rotated.sort((a, b) => rotationAge(b.slice(name.length + 1)) - rotationAge(a.slice(name.length + 1)) || (a < b ? -1 : 1));
  return [...rotated, ...(names.includes(name) ? [name] : [])].map((one) => join(dirname(path), one));
}

/** Numbered files grow older with their number; dated ones sort by their name alone. */
function rotationAge(suffix: string): number {
  return /^\d{1,4}$/.test(suffix) ? Number(suffix) : 0;
}

/** Where the last `lines` lines of all files together begin. */
async function tailPosition(files: readonly string[], lines: number): Promise<{ file: number; offset: number }> {
  let missing = lines;
  for (let index = files.length - 1; index >= 0; index -= 1) {
    const handle = await openOrUndefined(files[index] ?? '');
    if (handle === undefined) continue;
    try {
      const { size } = await handle.stat();
      const found = await tailOffset(handle, size, missing);
      if (found.offset > 0 || found.missing === 0) return { file: index, offset: found.offset };
      missing = found.missing;
    } finally {
      await handle.close();
    }
  }
  return { file: 0, offset: 0 };
}

async function tailOffset(handle: FileHandle, size: number, lines: number): Promise<{ offset: number; missing: number }> {
  if (lines === 0) return { offset: size, missing: 0 };
  let end = size;
  let missing = lines;
  const buffer = Buffer.alloc(chunkBytes);
  while (end > 0) {
    const begin = Math.max(0, end - chunkBytes);
    const { bytesRead } = await handle.read(buffer, 0, end - begin, begin);
    for (let index = bytesRead - 1; index >= 0; index -= 1) {
      // The newline that ends the file ends the last line; it does not begin another one.
      if (buffer[index] !== newline || begin + index === size - 1) continue;
      missing -= 1;
      if (missing === 0) return { offset: begin + index + 1, missing: 0 };
    }
    end = begin;
  }
  return { offset: 0, missing: size === 0 ? missing : missing - 1 };
}

async function* fileLines(handle: FileHandle, from: number, signal: AbortSignal): AsyncGenerator<Buffer> {
  const reader = new LineReader(handle, from);
  try {
    for (;;) {
      signal.throwIfAborted();
      const lines = await reader.next();
      if (lines === undefined) return;
      yield* lines;
    }
  } finally {
    await handle.close();
  }
}

/** Reads to the end again and again as the file grows, moving on to the new file after a rotation. */
async function* followLines(
  path: string,
  first: FileHandle,
  from: number,
  signal: AbortSignal,
  ended: AbortSignal,
): AsyncGenerator<Buffer> {
  const changes = new DirectoryChanges(dirname(path), [signal, ended]);
  let handle = first;
  let reader = new LineReader(handle, from);
  try {
    for (;;) {
      signal.throwIfAborted();
      const wasEnded = ended.aborted;
      const lines = await reader.next();
      if (lines !== undefined) {
        yield* lines;
        continue;
      }
      const replaced = await openReplacement(path, handle);
      if (replaced !== undefined) {
        // What was appended between our last read and the rotation.
        for (let rest = await reader.next(); rest !== undefined; rest = await reader.next()) yield* rest;
        await handle.close();
        handle = replaced;
        reader = new LineReader(handle, 0);
        continue;
      }
      if (wasEnded) return;
      await changes.next();
    }
  } finally {
    changes.close();
    await handle.close();
  }
}

async function openReplacement(path: string, current: FileHandle): Promise<FileHandle | undefined> {
  const now = await stat(path).catch(() => undefined);
  if (now === undefined || now.ino === (await current.stat()).ino) return undefined;
  return openOrUndefined(path);
}

async function waitForFile(path: string, signal: AbortSignal, ended: AbortSignal): Promise<FileHandle | undefined> {
  const changes = new DirectoryChanges(dirname(path), [signal, ended]);
  try {
    for (;;) {
      const wasEnded = ended.aborted || signal.aborted;
      const handle = await openOrUndefined(path);
      if (handle !== undefined || wasEnded) return handle;
      await changes.next();
    }
  } finally {
    changes.close();
  }
}

async function openOrUndefined(path: string): Promise<FileHandle | undefined> {
  return open(path, 'r').catch(() => undefined);
}

/** Wakes its reader when a file of the directory changes or one of the signals aborts. */
class DirectoryChanges {
  readonly #close: () => void;
  #pending = true;
  #wake: (() => void) | undefined;

  constructor(directory: string, signals: readonly AbortSignal[]) {
    const notify = () => {
      this.#pending = true;
      this.#wake?.();
    };
    const watcher = watchOrUndefined(directory, notify);
    // Without inotify (limit reached, directory not there yet) look once a second.
    const timer = watcher === undefined ? setInterval(notify, 1000).unref() : undefined;
    for (const signal of signals) signal.addEventListener('abort', notify, { once: true });
    this.#close = () => {
      watcher?.close();
      clearInterval(timer);
      for (const signal of signals) signal.removeEventListener('abort', notify);
    };
  }

  /** Resolves at the next change; at once when there was one since the last call. */
  async next(): Promise<void> {
    if (!this.#pending) await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#pending = false;
    this.#wake = undefined;
  }

  close(): void {
    this.#close();
  }
}

function watchOrUndefined(directory: string, notify: () => void) {
  try {
    const watcher = watch(directory, notify);
    watcher.on('error', notify);
    return watcher;
  } catch {
    return undefined;
  }
}

/** Splits a growing file into lines; an unfinished last line waits for its newline. */
class LineReader {
  readonly #handle: FileHandle;
  readonly #buffer = Buffer.alloc(chunkBytes);
  #position: number;
  #rest: Buffer = Buffer.alloc(0);

  constructor(handle: FileHandle, position: number) {
    this.#handle = handle;
    this.#position = position;
  }

  /** The next lines (possibly none, when a chunk ends inside a long one), or undefined at the end of the file. */
  async next(): Promise<Buffer[] | undefined> {
    const { bytesRead } = await this.#handle.read(this.#buffer, 0, chunkBytes, this.#position);
    if (bytesRead === 0) return undefined;
    this.#position += bytesRead;
    const data = Buffer.concat([this.#rest, this.#buffer.subarray(0, bytesRead)]);
    const lines: Buffer[] = [];
    let begin = 0;
    for (let end = data.indexOf(newline); end >= 0; end = data.indexOf(newline, begin)) {
      lines.push(data.subarray(begin, end));
      begin = end + 1;
    }
    this.#rest = data.subarray(begin);
    if (this.#rest.length > maxEntryBytes) this.#rest = Buffer.alloc(0);
    return lines;
  }
}

/** The last bytes of a log as text, for FallbackToLogsOnError: at most 2048 bytes or 80 lines, whichever is smaller. */
export async function logTail(path: string): Promise<string> {
  const never = new AbortController().signal;
  const parts: Buffer[] = [];
  for await (const text of readLog(path, { follow: false, timestamps: false, tailLines: 80, signal: never }, never)) parts.push(text);
  const all = Buffer.concat(parts);
  return all.subarray(Math.max(0, all.length - 2048)).toString('utf8');
}
