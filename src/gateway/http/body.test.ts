import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { BodyFraming, ChunkedScanner } from '#gateway/http/body.ts';

/** Feeds `text` in pieces; returns the content and the number of bytes used, or undefined when refused. */
function scan(text: string, sizes: readonly number[] = [text.length]): { content: string; used: number; done: boolean } | undefined {
  const bytes = Buffer.from(text, 'latin1');
  const scanner = new ChunkedScanner();
  let content = '';
  let at = 0;
  for (let turn = 0; at < bytes.length && !scanner.done; turn++) {
    const end = Math.min(bytes.length, at + Math.max(1, sizes[turn % sizes.length] ?? 1));
    const next = scanner.scan(bytes, at, end, (from, to) => (content += bytes.toString('latin1', from, to)));
    if (next < 0) return undefined;
    at = next;
  }
  return { content, used: at, done: scanner.done };
}

describe('chunked content', () => {
  test('content, extensions and trailers, and not a byte more than the message', () => {
    assert.deepEqual(scan('4;a=b\r\nWiki\r\n5 \r\npedia\r\n0\r\nX-T: v\r\n\r\nGET /'), { content: 'Wikipedia', used: 37, done: true });
  });

  test('any chunks in any pieces give the content back', () => {
    const chunk = fc.string({ unit: 'binary', minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(fc.array(chunk), fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (chunks, sizes) => {
        const latin = chunks.map((text) => Buffer.from(text).toString('latin1'));
        const text = `${latin.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join('')}0\r\n\r\n`;
        assert.deepEqual(scan(`${text}next`, sizes), { content: latin.join(''), used: text.length, done: true });
      }),
    );
  });

  test('trailer lines are remembered where asked for, in whatever pieces they come', () => {
    const bytes = Buffer.from('3\r\nabc\r\n0\r\nA: 1\r\nB: two\r\n\r\n');
    const body = new BodyFraming();
    for (const size of [1, 2, 7, bytes.length]) {
      body.chunkedWithTrailers();
      for (let at = 0; at < bytes.length; at += size) body.consume(bytes, at, Math.min(bytes.length, at + size));
      assert.ok(body.done);
      assert.equal(body.trailers.toString(), 'A: 1\r\nB: two\r\n');
    }
    body.chunked();
    body.consume(Buffer.from('0\r\n\r\n'), 0, 5);
    assert.equal(body.trailers.length, 0);
  });

  test('what is refused', () => {
    for (const text of [
      '\r\n',
      'g\r\n',
      '-1\r\n',
      '+1\r\n',
      '0x1\r\n',
      ' 1\r\n',
      '1\n',
      '1\r\r',
      '1;\n',
      '1;\0\r\n',
      '1\r\nab\r\n',
      '1\r\na\n',
      '1\r\na\rx',
      '1234567890123\r\n',
      `1;${'x'.repeat(300)}\r\n`,
      '0\r\n X: y\r\n',
      '0\r\nX\r\n',
      '0\r\nX: y\n',
      '0\r\n\n',
      `0\r\nX: ${'y'.repeat(9000)}\r\n`,
    ]) {
      assert.equal(scan(text), undefined, JSON.stringify(text.slice(0, 40)));
    }
  });

  test('an early end is only possible between chunks', () => {
    const framing = new BodyFraming();
    framing.chunked();
    const bytes = Buffer.from('3\r\nabc\r\n3\r\nab');
    assert.equal(framing.consume(bytes, 0, 8), 8);
    assert.equal(framing.atChunkBoundary, true);
    framing.consume(bytes, 8, bytes.length);
    assert.equal(framing.atChunkBoundary, false);
  });

  test('content by length takes exactly that', () => {
    const framing = new BodyFraming();
    framing.length(5);
    const bytes = Buffer.from('abcdefgh');
    assert.equal(framing.consume(bytes, 0, 3), 3);
    assert.equal(framing.done, false);
    assert.equal(framing.consume(bytes, 3, 8), 5);
    assert.equal(framing.done, true);
  });
});
