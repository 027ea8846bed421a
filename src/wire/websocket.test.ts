import assert from 'node:assert/strict';
import { duplexPair } from 'node:stream';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { encodeWebSocketFrame, opcodes, WebSocketFrameReader } from '#wire/websocket-frames.ts';
import { acceptKey, WebSocketConnection } from '#wire/websocket.ts';

function pair(options: { maxMessageBytes?: number } = {}) {
  const [left, right] = duplexPair();
  return {
    raw: left,
    client: () => new WebSocketConnection(left, { role: 'client', ...options }),
    server: new WebSocketConnection(right, { role: 'server', ...options }),
  };
}

async function texts(socket: WebSocketConnection): Promise<string[]> {
  const all: string[] = [];
  for await (const { data } of socket.messages()) all.push(data.toString());
  return all;
}

const masked = (opcode: number, payload: string, final = true) =>
  encodeWebSocketFrame(opcode, Buffer.from(payload), { masked: true, final });

describe('WebSocket', () => {
  it('accepts a key as RFC 6455 §1.3 does', () => {
    assert.equal(acceptKey('dGhlIHNhbXBsZSBub25jZQ=='), 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
  });

  it('reads the same frames wherever the bytes are cut', () => {
    const frame = fc.record({
      opcode: fc.constantFrom(1, 2, 0),
      size: fc.oneof(fc.nat(130), fc.constantFrom(125, 126, 65_535, 65_536)),
      final: fc.boolean(),
      isMasked: fc.constant(true),
    });
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 5 }), fc.array(fc.nat(), { maxLength: 12 }), (frames, cuts) => {
        const payloads = frames.map(({ size }, index) => Buffer.alloc(size, index + 1));
        const bytes = Buffer.concat(
          frames.map(({ opcode, final }, index) => encodeWebSocketFrame(opcode, payloads[index]!, { masked: true, final })),
        );
        const reader = new WebSocketFrameReader({ masked: true, maxFrameBytes: 70_000 });
        const edges = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length];
        const read = edges.slice(1).flatMap((end, index) => reader.push(bytes.subarray(edges[index], end)));
        assert.deepEqual(
          read.map(({ opcode, final, payload }) => [opcode, final, payload.toString('hex')]),
          frames.map(({ opcode, final }, index) => [opcode, final, payloads[index]!.toString('hex')]),
        );
      }),
      { numRuns: 60 },
    );
  });

  it('puts fragments together, with a ping between them', async () => {
    const { raw, server } = pair();
    raw.write(
      Buffer.concat([
        masked(opcodes.text, 'one ', false),
        masked(opcodes.ping, 'p'),
        masked(opcodes.continuation, 'two'),
        masked(opcodes.close, '\x03\xe8'),
      ]),
    );
    assert.deepEqual(await texts(server), ['one two']);
    const answer = new WebSocketFrameReader({ masked: false, maxFrameBytes: 100 }).push(raw.read() as Buffer);
    assert.deepEqual(answer.map(({ opcode, payload }) => [opcode, payload.toString()])[0], [opcodes.pong, 'p']);
  });

  it('refuses a message of ever more fragments, however small', async () => {
    const { raw, server } = pair();
    raw.resume();
    raw.write(masked(opcodes.text, '', false));
    for (let count = 0; count < 5000; count += 1) raw.write(masked(opcodes.continuation, '', false));
    await assert.rejects(texts(server), /too large/);
  });

  it('closes in both directions with the code given', async () => {
    const { client, server } = pair();
    const far = client();
    const heard = texts(far);
    const served = texts(server);
    await far.send(Buffer.from('hello'));
    await server.close(1001, 'going away');
    assert.deepEqual(await served, ['hello']);
    await heard;
    assert.deepEqual(far.closed, { code: 1001, reason: 'going away' });
    assert.equal(server.closed?.code, 1001);
    await assert.rejects(far.send(Buffer.alloc(1)), /closed/);
  });

  const violations: readonly (readonly [string, Buffer, number])[] = [
    ['an unmasked frame', encodeWebSocketFrame(opcodes.text, Buffer.from('x'), { masked: false }), 1002],
    ['reserved bits', Buffer.from([0xc1, 0x80, 0, 0, 0, 0]), 1002],
    ['an unknown opcode', masked(3, 'x'), 1002],
    ['a fragmented ping', masked(opcodes.ping, 'x', false), 1002],
    ['a continuation of nothing', masked(opcodes.continuation, 'x'), 1002],
    ['a message inside a message', Buffer.concat([masked(opcodes.text, 'x', false), masked(opcodes.text, 'y')]), 1002],
    ['a frame beyond the limit', masked(opcodes.binary, 'x'.repeat(2000)), 1009],
    [
      'fragments beyond the limit',
      Buffer.concat([masked(opcodes.binary, 'x'.repeat(900), false), masked(opcodes.continuation, 'x'.repeat(900))]),
      1009,
    ],
    ['a length of 2^63', Buffer.from([0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), 1009],
  ];
  for (const [what, bytes, code] of violations) {
    it(`answers ${what} with close code ${code}`, async () => {
      const { raw, server } = pair({ maxMessageBytes: 1000 });
      raw.write(bytes);
      await assert.rejects(texts(server), { name: 'WebSocketError', code });
      const [close] = new WebSocketFrameReader({ masked: false, maxFrameBytes: 200 }).push(raw.read() as Buffer);
      assert.equal(close?.payload.readUInt16BE(0), code);
    });
  }

  it('takes any bytes for an error at most', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        const { raw, server } = pair({ maxMessageBytes: 1000 });
        raw.end(bytes);
        await texts(server).catch((error: Error) => assert.equal(error.name, 'WebSocketError'));
      }),
    );
  });
});
