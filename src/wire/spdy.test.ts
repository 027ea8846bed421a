import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { duplexPair, Readable, type Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { controlFrame, dataFrameHead, finFlag, frameTypes, SpdyFrameReader, words, type SpdyFrame } from '#wire/spdy-frames.ts';
import { HeaderCodec, headerDictionary } from '#wire/spdy-headers.ts';
import type { SpdyStream } from '#wire/spdy-stream.ts';
import { SpdySession } from '#wire/spdy.ts';

function sessions(onStream: (stream: SpdyStream) => void, maxStreams = 100) {
  const [left, right] = duplexPair({ highWaterMark: 64 * 1024 });
  const client = new SpdySession(left, { role: 'client' });
  const server = new SpdySession(right, { role: 'server', onStream, maxStreams });
  return { client, server };
}

/** A far end of raw frames, such as a client that keeps no windows. */
function rawClient(onStream: (stream: SpdyStream) => void) {
  const [left, right] = duplexPair({ highWaterMark: 64 * 1024 });
  const server = new SpdySession(right, { role: 'server', onStream });
  const codec = new HeaderCodec();
  const open = async (id: number, headers: Record<string, string>, flags = 0) =>
    left.write(controlFrame(frameTypes.synStream, flags, Buffer.concat([words(id, 0), Buffer.alloc(2), await codec.encode(headers)])));
  return { raw: left, serverSocket: right, server, open };
}

const megabyte = 2 ** 20;

async function* noise(bytes: number, hash: ReturnType<typeof createHash>) {
  const block = Buffer.alloc(megabyte);
  for (let sent = 0; sent < bytes; sent += megabyte) {
    block.writeUInt32BE(sent, 0);
    block.writeUInt32BE(~sent >>> 0, megabyte - 4);
    const copy = Buffer.from(block);
    hash.update(copy);
    yield await Promise.resolve(copy);
  }
}

async function digest(source: AsyncIterable<Buffer>): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of source) hash.update(chunk);
  return hash.digest('hex');
}

async function framesOf(raw: Duplex, enough: (frames: SpdyFrame[]) => boolean): Promise<SpdyFrame[]> {
  const reader = new SpdyFrameReader();
  const frames: SpdyFrame[] = [];
  for await (const chunk of raw.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    frames.push(...reader.push(chunk));
    if (enough(frames)) break;
  }
  return frames;
}

describe('SPDY', () => {
  it('has the dictionary of the specification (its Adler-32 is what zlib announces)', () => {
    let [a, b] = [1, 0];
    for (const byte of headerDictionary) {
      a = (a + byte) % 65_521;
      b = (b + a) % 65_521;
    }
    assert.equal((b * 65_536 + a).toString(16), 'e3c6a7c2');
  });

  it('reads the same frames wherever the bytes are cut', () => {
    const bytes = Buffer.concat([
      controlFrame(frameTypes.ping, 0, words(7)),
      dataFrameHead(1, 5, true),
      Buffer.from('hello'),
      dataFrameHead(3, 0, true),
      controlFrame(frameTypes.goAway, 0, words(1, 0)),
    ]);
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length), { maxLength: 8 }), (cuts) => {
        const reader = new SpdyFrameReader();
        const edges = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
        const frames = edges.slice(1).flatMap((end, index) => reader.push(bytes.subarray(edges[index], end)));
        const text = frames.map((frame) => (frame.kind === 'data' && frame.streamId === 1 ? frame.bytes.toString() : '')).join('');
        assert.equal(text, 'hello');
        assert.deepEqual(
          frames.filter((frame) => frame.kind === 'control').map(({ type }) => type),
          [frameTypes.ping, frameTypes.goAway],
        );
        assert.deepEqual(
          frames.filter((frame) => frame.kind === 'data' && frame.fin).map((frame) => frame.kind === 'data' && frame.streamId),
          [1, 3],
        );
      }),
    );
  });

  it('carries 100 MB both ways at once, intact', async () => {
    const { client } = sessions((stream) => void pipeline(stream, stream));
    const stream = client.open({ streamtype: 'data' });
    const sent = createHash('sha256');
    const [, received] = await Promise.all([
      pipeline(Readable.from(noise(100 * megabyte, sent)), stream, { end: true }).catch(() => {}),
      digest(stream),
    ]);
    assert.equal(received, sent.digest('hex'));
    await client.close();
  });

  it('sends 16 MB to a client that never opens its window, and takes as much from it', async () => {
    const got = Promise.withResolvers<string>();
    const sent = createHash('sha256');
    const { raw, open } = rawClient((stream) => {
      void pipeline(Readable.from(noise(16 * megabyte, sent)), stream, { end: true }).catch(() => {});
      void digest(stream).then(got.resolve);
    });
    await open(1, { streamtype: 'data' });
    const up = createHash('sha256');
    const upload = (async () => {
      for await (const chunk of noise(16 * megabyte, up)) {
        for (const part of [dataFrameHead(1, chunk.length, false), chunk])
          if (!raw.write(part)) await new Promise((resolve) => raw.once('drain', resolve));
      }
      raw.write(dataFrameHead(1, 0, true));
    })();
    const down = createHash('sha256');
    const reader = new SpdyFrameReader();
    let finished = false;
    for await (const chunk of raw as AsyncIterable<Buffer>) {
      for (const frame of reader.push(chunk)) {
        if (frame.kind === 'data') down.update(frame.bytes);
        else assert.equal(frame.type, frameTypes.synReply, 'no frame a plain client would not know');
        finished ||= frame.kind === 'data' && frame.fin;
      }
      if (finished) break;
    }
    await upload.catch(() => {});
    assert.equal(down.digest('hex'), sent.digest('hex'));
    assert.equal(up.digest('hex'), await got.promise);
  });

  it('does not let a slow reader of one stream hold up another, towards a peer that keeps windows', async () => {
    const slow: SpdyStream[] = [];
    const fast = Promise.withResolvers<string>();
    const { client } = sessions((stream) =>
      stream.headers['name'] === 'slow' ? slow.push(stream) : void digest(stream).then(fast.resolve),
    );
    const first = client.open({ name: 'slow' });
    first.write(Buffer.alloc(8 * megabyte));
    const sent = createHash('sha256');
    void pipeline(Readable.from(noise(4 * megabyte, sent)), client.open({ name: 'fast' })).catch(() => {});
    const received = await fast.promise;
    assert.equal(received, sent.digest('hex'));
    assert.ok((slow[0]?.readableLength ?? 0) <= megabyte, 'what waits is bounded by the window');
    await client.close();
  });

  it('half-closes: what one side ended the other may still answer', async () => {
    const { client } = sessions((stream) => void digest(stream).then((hash) => stream.end(hash)));
    const stream = client.open({});
    stream.end('question');
    const answer = Buffer.concat(await Array.fromAsync(stream as AsyncIterable<Buffer>)).toString();
    assert.equal(answer, createHash('sha256').update('question').digest('hex'));
    await client.close();
  });

  it('resets a destroyed stream on the far side, and that one alone', async () => {
    const arrived: SpdyStream[] = [];
    const { client } = sessions((stream) => arrived.push(stream));
    const first = client.open({ n: '1' });
    const second = client.open({ n: '2' });
    second.write('x');
    while (arrived.length < 2) await new Promise((resolve) => setImmediate(resolve));
    const gone = new Promise((resolve) => arrived[0]?.once('close', resolve));
    first.destroy();
    await gone;
    assert.equal(arrived[1]?.destroyed, false);
    await client.close();
  });

  it('refuses streams beyond its limit', async () => {
    const { client } = sessions(() => {}, 1);
    client.open({});
    const second = client.open({});
    await new Promise((resolve) => second.once('close', resolve));
    assert.match(second.errored?.message ?? '', /reset the stream \(3\)/);
    await client.close();
  });

  it('echoes pings and says goodbye', async () => {
    const { raw, server } = rawClient(() => {});
    raw.write(controlFrame(frameTypes.ping, 0, words(5)));
    await framesOf(raw, (frames) => frames.length > 0);
    await server.close();
    const frames = await framesOf(raw, (frames) => frames.length > 0);
    assert.deepEqual(
      frames.map((frame) => frame.kind === 'control' && frame.type),
      [frameTypes.goAway],
    );
    await server.closed;
  });

  it('listens no further to a far end that makes it reply and does not read, and catches up when it does', async () => {
    const { raw, serverSocket, server } = rawClient(() => {});
    const pings = 50_000;
    const ping = controlFrame(frameTypes.ping, 0, words(5));
    for (let block = 0; block < 50; block += 1) raw.write(Buffer.concat(Array.from({ length: pings / 50 }, () => ping)));
    for (let turn = 0; turn < 100; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    assert.ok(serverSocket.writableLength < 200_000, `${serverSocket.writableLength} bytes of replies wait`);
    const frames = await framesOf(raw, (seen) => seen.length >= pings);
    assert.equal(frames.length, pings);
    await server.close();
  });

  it('ends a half-open stream with an error when the connection breaks', async () => {
    const arrived = Promise.withResolvers<SpdyStream>();
    const { raw, open, server } = rawClient(arrived.resolve);
    await open(1, {});
    const stream = await arrived.promise;
    raw.destroy();
    await server.closed;
    assert.match(stream.errored?.message ?? '', /connection has ended/);
  });

  it('accepts an empty stream that ends with its opening', async () => {
    const arrived = Promise.withResolvers<SpdyStream>();
    const { open } = rawClient(arrived.resolve);
    await open(1, { streamtype: 'error' }, finFlag);
    const stream = await arrived.promise;
    assert.deepEqual(await Array.fromAsync(stream.iterator({ destroyOnReturn: false })), []);
  });

  const violations: readonly (readonly [string, Buffer])[] = [
    ['another version', Buffer.from([0x80, 2, 0, 1, 0, 0, 0, 0])],
    ['a control frame cut short', controlFrame(frameTypes.synStream, 0, words(1))],
    ['an oversized control frame', Buffer.from([0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff])],
    [
      'a damaged header block',
      controlFrame(frameTypes.synStream, 0, Buffer.concat([words(1, 0), Buffer.alloc(2), Buffer.from('nonsense')])),
    ],
    ['settings cut short', controlFrame(frameTypes.settings, 0, words(1000))],
    ['an overflowing session window', Buffer.concat([1, 2].map(() => controlFrame(frameTypes.windowUpdate, 0, words(0, 0x7fff_ffff))))],
  ];
  for (const [what, bytes] of violations) {
    it(`ends the session for ${what}`, async () => {
      const { raw, server } = rawClient(() => assert.fail('no stream'));
      raw.resume().write(bytes);
      await server.closed;
    });
  }

  it('does not unpack a header bomb', async () => {
    const { open, server } = rawClient(() => assert.fail('no stream'));
    await open(1, { x: 'a'.repeat(megabyte) });
    await server.closed;
  });

  it('takes any bytes for an end of the session at most', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 100 }), fc.constantFrom(1, 2, 3, 4, 6, 7, 8, 9), async (payload, type) => {
        const { raw, server } = rawClient((stream) => stream.resume());
        raw.resume().end(controlFrame(type, 0, payload));
        await server.closed;
      }),
    );
  });
});
