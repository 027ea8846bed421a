import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip, constants } from 'node:zlib';
import { utf8 } from '#apiserver/cache/encoding.ts';
import type { ApiResponse, WatchFrame } from '#apiserver/request.ts';
import { writable } from '#core/streams.ts';

/** Smaller answers are not worth compressing; kube-apiserver's threshold. */
const gzipFromBytes = 128 * 1024;

/** Writes an answer of the pipeline as HTTP. Ends early, without an error, when the client has gone. */
export async function sendResponse(
  request: IncomingMessage,
  response: ServerResponse,
  answer: ApiResponse,
  signal: AbortSignal,
): Promise<void> {
  response.statusCode = answer.status;
  for (const [name, value] of Object.entries(answer.headers)) response.setHeader(name, typeof value === 'string' ? value : [...value]);
  const { body } = answer;
  if (body.kind === 'none' || body.kind === 'upgrade') {
    response.end();
    return;
  }
  response.setHeader('content-type', body.contentType);
  if (body.kind !== 'stream') response.setHeader('cache-control', 'no-cache, private');
  switch (body.kind) {
    case 'object':
      return sendText(request, response, body.json?.() ?? JSON.stringify(body.object));
    case 'text':
      return sendText(request, response, body.text);
    case 'list':
      return sendChunks(request, response, body.chunks());
    case 'watch':
      return sendFrames(request, response, body.events, signal);
    case 'stream':
      // The other side may have to know that it is heard before there is anything to say.
      response.flushHeaders();
      if (request.method === 'HEAD') response.end();
      else await pipeline(Readable.from(body.chunks, { objectMode: false }), response, { signal });
      return;
  }
}

async function sendText(request: IncomingMessage, response: ServerResponse, text: string): Promise<void> {
  if (text.length >= gzipFromBytes && wantsGzip(request)) return sendChunks(request, response, [text]);
  const bytes = utf8(text);
  response.setHeader('content-length', bytes.length);
  response.end(request.method === 'HEAD' ? undefined : bytes);
  return Promise.resolve();
}

/** A long list goes out piece by piece; the first decides whether compressing pays. */
async function sendChunks(request: IncomingMessage, response: ServerResponse, chunks: Iterable<string>): Promise<void> {
  const iterator = chunks[Symbol.iterator]();
  const first = iterator.next();
  const text = first.done === true ? '' : first.value;
  const second = iterator.next();
  const long = second.done !== true || text.length >= gzipFromBytes;
  if (!long || request.method === 'HEAD') {
    const bytes = utf8(text);
    if (!long) response.setHeader('content-length', bytes.length);
    response.end(request.method === 'HEAD' ? undefined : bytes);
    return;
  }
  const rest = function* () {
    yield utf8(text);
    for (let next = second; next.done !== true; next = iterator.next()) yield utf8(next.value);
  };
  if (!wantsGzip(request)) return writeAll(response, rest());
  response.setHeader('content-encoding', 'gzip');
  response.setHeader('vary', 'Accept-Encoding');
  const gzip = createGzip({ level: constants.Z_BEST_SPEED });
  await Promise.all([writeAll(gzip, rest()), pipeline(gzip, response)]);
}

async function writeAll(target: Writable, pieces: Iterable<Uint8Array>): Promise<void> {
  for (const piece of pieces) {
    if (target.destroyed) return;
    if (!target.write(piece)) await writable(target);
  }
  target.end();
}

async function sendFrames(
  request: IncomingMessage,
  response: ServerResponse,
  frames: AsyncIterable<WatchFrame>,
  signal: AbortSignal,
): Promise<void> {
  response.flushHeaders();
  if (request.method === 'HEAD') {
    response.end();
    return;
  }
  const out = new FrameWriter(request, response);
  for await (const frame of frames) {
    if (signal.aborted) break;
    if (!out.write(frame.line())) await writable(out.target);
  }
  response.end();
}

/** Chunks of HTTP/1.1 by the line in them, so that a hundred watchers share one. */
const chunks = new WeakMap<Uint8Array, Uint8Array>();

/**
 * Writes lines behind a head that has been sent. Chunks go to the connection ready-made: left to ServerResponse, each line becomes
 * four pieces that are put together again for every watcher.
 */
class FrameWriter {
  readonly target: Writable;
  readonly #chunked: boolean;
  #corked = false;

  constructor(request: IncomingMessage, response: ServerResponse) {
    // No connection yet: the answer to an earlier request is still going out on it.
    this.#chunked = request.httpVersion === '1.1' && response.socket !== null;
    this.target = this.#chunked && response.socket !== null ? response.socket : response;
  }

  /** False when the reader is behind. What is written in one turn of the event loop goes out together. */
  write(line: Uint8Array): boolean {
    if (!this.#chunked) return this.target.write(line);
    if (!this.#corked) {
      this.#corked = true;
      this.target.cork();
      process.nextTick(() => {
        this.#corked = false;
        this.target.uncork();
      });
    }
    return this.target.write(chunkOf(line));
  }
}

function chunkOf(line: Uint8Array): Uint8Array {
  let chunk = chunks.get(line);
  if (chunk === undefined) {
    chunk = Buffer.concat([Buffer.from(`${line.length.toString(16)}\r\n`), line, Buffer.from('\r\n')]);
    chunks.set(line, chunk);
  }
  return chunk;
}

function wantsGzip(request: IncomingMessage): boolean {
  const header = request.headers['accept-encoding'];
  return typeof header === 'string' && header.split(',').some((part) => /^\s*gzip\s*(?:;\s*q=(?!0(?:\.0*)?\s*$).*)?$/i.test(part));
}
