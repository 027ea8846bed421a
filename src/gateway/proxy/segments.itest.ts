import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import fc from 'fast-check';
import { BodyFraming } from '#gateway/http/body.ts';
import { parseRequestHead, RequestHead } from '#gateway/http/request-head.ts';
import { startProxy, testEach } from '#gateway/testing/each-transport.ts';
import { RawClient } from '#gateway/testing/raw-client.ts';
import { singleRoute } from '#gateway/testing/routes.ts';
import { tcpUpstream } from '#gateway/testing/upstream.ts';

type Coding = 'none' | 'length' | 'chunked';
interface Message {
  readonly coding: Coding;
  readonly content: string;
}

const message: fc.Arbitrary<Message> = fc.record({
  coding: fc.constantFrom<Coding>('none', 'length', 'chunked'),
  content: fc.oneof(
    fc.string({ minLength: 1, maxLength: 30, unit: fc.constantFrom('a', 'b', '\r', '\n', '0', ' ', ':') }),
    fc.nat(90_000).map((size) => 'x'.repeat(size + 1)),
  ),
});

function encode(start: string, { coding, content }: Message): string {
  if (coding === 'none') return `${start}\r\n`;
  if (coding === 'length') return `${start}Content-Length: ${content.length}\r\n\r\n${content}`;
  const middle = Math.ceil(content.length / 2);
  const parts = [content.slice(0, middle), content.slice(middle)].filter((part) => part !== '');
  return `${start}Transfer-Encoding: chunked\r\n\r\n${parts.map((part) => `${part.length.toString(16)};e\r\n${part}\r\n`).join('')}0\r\nT: v\r\n\r\n`;
}

/** Sends `text` cut into pieces of the given sizes (the last size goes on), each in a turn of its own. */
async function inPieces(text: string, sizes: readonly number[], send: (piece: string) => void): Promise<void> {
  let at = 0;
  for (let turn = 0; at < text.length; turn++) {
    const size = sizes[turn] ?? 70_000;
    send(text.slice(at, at + size));
    at += size;
    if (turn % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A container that reads requests one after the other and answers each with the message `answer` names, in pieces. */
function serve(socket: Socket, answer: (target: string, content: string) => { text: string; sizes: readonly number[] }): void {
  const head = new RequestHead();
  let unread = Buffer.alloc(0);
  let busy = false;
  const next = async (): Promise<void> => {
    if (busy) return;
    const after = parseRequestHead(unread, 0, unread.length, head);
    if (after <= 0) return;
    const body = new BodyFraming();
    if (head.chunked) body.chunked();
    else if (head.contentLength > 0) body.length(head.contentLength);
    let content = '';
    const end = body.consume(unread, after, unread.length, (from, to) => (content += unread.toString('latin1', from, to)));
    if (!body.done) return;
    if (body.kind === 'length') content = unread.toString('latin1', after, end);
    const { text, sizes } = answer(unread.toString('latin1', head.targetStart, head.targetEnd), content);
    unread = unread.subarray(end);
    busy = true;
    await inPieces(text, sizes, (piece) => socket.write(piece, 'latin1'));
    busy = false;
    await next();
  };
  socket.on('data', (bytes: Buffer) => {
    unread = Buffer.concat([unread, bytes]);
    void next();
  });
}

const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 70_000 })), { maxLength: 30 });

testEach('however requests and responses are cut into pieces, each side gets what the other sent', async (transport) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ request: message, response: message, cuts: sizes }), { minLength: 1, maxLength: 6 }),
      sizes,
      async (pairs, cuts) => {
        const seen: string[] = [];
        await using upstream = await tcpUpstream((socket) =>
          serve(socket, (target, content) => {
            const { response, cuts: sizes } = pairs[Number(target.slice(1))] as (typeof pairs)[0];
            seen.push(`${target} ${content}`);
            const start = 'HTTP/1.1 200 OK\r\nX: y\r\nConnection: keep-alive\r\n';
            return { text: response.coding === 'none' ? `${start}Content-Length: 0\r\n\r\n` : encode(start, response), sizes };
          }),
        );
        await using it = await startProxy(singleRoute([upstream.port]), { transport });
        using client = new RawClient(it.port);
        const requests = pairs.map(({ request }, index) =>
          encode(`${request.coding === 'none' ? 'GET' : 'POST'} /${index} HTTP/1.1\r\nHost: app.test\r\n`, request),
        );
        await inPieces(requests.join(''), cuts, (piece) => client.send(piece));
        const start = 'HTTP/1.1 200 OK\r\nX: y\r\n';
        const expected = pairs
          .map(({ response }) => (response.coding === 'none' ? `${start}Content-Length: 0\r\n\r\n` : encode(start, response)))
          .join('');
        const text = await client.until((received) => received.length >= expected.length, `${expected.length} bytes`);
        assert.ok(text === expected);
        assert.deepEqual(
          seen,
          pairs.map(({ request }, index) => `/${index} ${request.coding === 'none' ? '' : request.content}`),
        );
        assert.equal(it.proxy.backends.get('app')?.running, 0);
      },
    ),
    { numRuns: 60 },
  );
});
