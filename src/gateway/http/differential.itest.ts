import assert from 'node:assert/strict';
import { createServer, METHODS, type IncomingMessage } from 'node:http';
import { Duplex } from 'node:stream';
import { test } from 'node:test';
import fc from 'fast-check';
import { BodyFraming } from '#gateway/http/body.ts';
import { parseRequestHead, RequestHead } from '#gateway/http/request-head.ts';

/** What a reader makes of a stream of bytes: the requests in it, and whether it gave up on the rest. */
interface Reading {
  readonly requests: readonly { readonly target: string; readonly method: string; readonly body: string }[];
  readonly refused: boolean;
}

function ours(bytes: Buffer): Reading {
  const head = new RequestHead();
  const requests: { target: string; method: string; body: string }[] = [];
  let at = 0;
  while (at < bytes.length) {
    const next = parseRequestHead(bytes, at, bytes.length, head);
    if (next === 0) break;
    if (next < 0) return { requests, refused: true };
    const body = new BodyFraming();
    if (head.chunked) body.chunked();
    else if (head.contentLength > 0) body.length(head.contentLength);
    let content = '';
    const raw = { from: next, to: body.consume(bytes, next, bytes.length, (from, to) => (content += bytes.toString('latin1', from, to))) };
    if (raw.to < 0) return { requests, refused: true };
    if (body.kind === 'length') content = bytes.toString('latin1', raw.from, raw.to);
    if (!body.done) break;
    const method = bytes.toString('latin1', head.start, head.methodEnd);
    requests.push({ target: bytes.toString('latin1', head.targetStart, head.targetEnd), method, body: content });
    at = raw.to;
    if (head.close) break;
  }
  return { requests, refused: false };
}

/** Node's own server reading the same bytes. */
async function nodes(bytes: Buffer): Promise<Reading> {
  const requests: { target: string; method: string; body: string }[] = [];
  let refused = false;
  const server = createServer((request: IncomingMessage, response) => {
    const entry = { target: request.url ?? '', method: request.method ?? '', body: '' };
    requests.push(entry);
    request.on('data', (part: Buffer) => (entry.body += part.toString('latin1')));
    request.on('end', () => response.end());
    request.on('error', () => {});
  });
  server.on('clientError', (error: NodeJS.ErrnoException) => {
    // The end of the bytes in the middle of a message is no refusal.
    if (error.code !== 'HPE_INVALID_EOF_STATE' && error.code !== 'ECONNRESET') refused = true;
  });
  const stream = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
  server.emit('connection', stream);
  stream.push(bytes);
  for (let turn = 0; turn < 6; turn++) await new Promise((resolve) => setImmediate(resolve));
  stream.destroy();
  return { requests, refused };
}

/**
 * Our reading may be stricter than Node's, never looser or different: a request we accept, Node accepts too and sees the same
 * method, target and content in the same place.
 */
async function compare(text: string): Promise<void> {
  const bytes = Buffer.from(text, 'latin1');
  const mine = ours(bytes);
  const theirs = await nodes(bytes);
  for (const [index, request] of mine.requests.entries()) {
    // Methods are open-ended (RFC 9110 §16.1); Node refuses those it has not heard of, and with them the rest.
    if (!METHODS.includes(request.method)) return;
    assert.deepEqual(theirs.requests[index], request, `request ${index} of ${JSON.stringify(text)}`);
  }
  // Node reports a request as soon as its head is complete, we here only when its content is.
  const more = theirs.requests.length - mine.requests.length;
  if (!mine.refused) assert.ok(more === 0 || more === 1, `Node sees ${more} more requests in ${JSON.stringify(text)}`);
}

const field = fc.constantFrom(
  'Content-Length: 5',
  'Content-Length: 0',
  'Content-Length: 05',
  'content-length:5 ',
  'Content-Length: 5, 5',
  'Transfer-Encoding: chunked',
  'transfer-encoding: Chunked',
  'Transfer-Encoding: identity',
  'Transfer-Encoding : chunked',
  'X: y',
  'X: \xe9',
  'X:',
  ' folded',
  'X: a\tb',
  'X: \x01',
  'Connection: keep-alive',
  'Accept: */*',
  'X-Y-Z: x',
);
const lineEnd = fc.oneof({ weight: 30, arbitrary: fc.constant('\r\n') }, fc.constantFrom('\n', '\r', '\r\r\n'));
const content = fc.constantFrom(
  '',
  'hello',
  '5\r\nhello\r\n0\r\n\r\n',
  '5;x\r\nhello\r\n0\r\nT: v\r\n\r\n',
  '5\nhello\n0\n\n',
  '05\r\nhello\r\n0\r\n\r\n',
  '0\r\n\r\n',
);
const request = fc
  .tuple(fc.constantFrom('GET', 'POST', 'PUT'), fc.array(fc.tuple(field, lineEnd), { maxLength: 4 }), lineEnd, content)
  .map(
    ([method, fields, end, body]) =>
      `${method} /${method.length} HTTP/1.1${end}Host: a${end}${fields.map((pair) => pair.join('')).join('')}${end}${body}`,
  );

test('streams of odd requests are never read differently from Node', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 3 }), (requests) => compare(requests.join(''))),
    { numRuns: 1500 },
  );
});

test('known smuggling attempts are never read differently from Node', async () => {
  const start = 'POST / HTTP/1.1\r\nHost: a\r\n';
  for (const text of [
    `${start}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGGET /x HTTP/1.1\r\nHost: a\r\n\r\n`,
    `${start}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n1\r\nZ\r\n0\r\n\r\n`,
    `${start}Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n`,
    `${start}Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n`,
    `${start}X: a\r\n\tTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    `${start}Content-Length: 0\r\n\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n`,
    `${start}Content_Length: 5\r\nContent-Length: 5\r\n\r\nhello`,
  ]) {
    await compare(text);
  }
});
