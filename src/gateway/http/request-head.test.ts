import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  fieldValue,
  http2Preface,
  incomplete,
  malformed,
  tooManyFields,
  unsupportedCoding,
  unsupportedVersion,
} from '#gateway/http/head.ts';
import { parseRequestHead, RequestHead } from '#gateway/http/request-head.ts';

/** As in the gateway, where what earlier reads left lies behind the bytes that count. */
const parse = (text: string): { result: number; head: RequestHead; bytes: Buffer } => {
  const bytes = Buffer.from(text, 'latin1');
  const head = new RequestHead();
  return { result: parseRequestHead(Buffer.concat([bytes, stale]), 0, bytes.length, head), head, bytes };
};
const stale = Buffer.from('TP/1.1\r\nHost: b\r\n\r\n\r\n: \r\n');

/** The head without its drops, as it would be sent on. */
const kept = ({ head, bytes }: { head: RequestHead; bytes: Buffer }): string => {
  let text = '';
  let from = head.start;
  for (let index = 0; index < head.dropCount; index += 2) {
    text += bytes.toString('latin1', from, head.drops[index]);
    from = head.drops[index + 1] as number;
  }
  return text + bytes.toString('latin1', from, head.end);
};

describe('request heads', () => {
  test('positions of an ordinary request', () => {
    const { result, head, bytes } = parse('POST /a?b HTTP/1.1\r\nHost:\t app.test:80 \r\nContent-Length: 12\r\nUser-Agent: x\r\n\r\nrest');
    assert.equal(bytes.toString('latin1', result), 'rest');
    assert.equal(bytes.toString('latin1', head.targetStart, head.targetEnd), '/a?b');
    assert.equal(bytes.toString('latin1', head.hostStart, head.hostEnd), 'app.test:80');
    assert.deepEqual([head.contentLength, head.chunked, head.close, head.idempotent, head.isHead], [12, false, false, false, false]);
    assert.equal(fieldValue(bytes, head, 'user-agent'), 'x');
  });

  test('empty lines before the request line are skipped', () => {
    assert.ok(parse('\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n').result > 0);
    assert.equal(parse('\r\n').result, incomplete);
    assert.equal(parse('\rGET / HTTP/1.1\r\nHost: a\r\n\r\n').result, malformed);
  });

  test('hop-by-hop, forwarding and internal fields are dropped, others kept as they are', () => {
    const it = parse(
      'GET / HTTP/1.1\r\nTE: trailers\r\nhost: a\r\nConnection: close, X-One , content-length\r\nX-One: 1\r\nX-Two:  2 \r\n' +
        'Forwarded: for=x\r\nx-forwarded-for: y\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: z\r\nK-Proxy-Request: activator\r\n' +
        'knative-serving-tag: t\r\nKeep-Alive: 1\r\nProxy-Connection: x\r\nKeyed: stays\r\nContent-Length: 0\r\n\r\n',
    );
    assert.ok(it.result > 0);
    assert.equal(kept(it), 'GET / HTTP/1.1\r\nhost: a\r\nX-Two:  2 \r\nKeyed: stays\r\nContent-Length: 0\r\n');
    assert.equal(it.head.close, true);
  });

  test('absolute form becomes origin form when it names the Host', () => {
    const it = parse('GET http://App.test/x HTTP/1.1\r\nHost: app.test\r\n\r\n');
    assert.equal(kept(it), 'GET /x HTTP/1.1\r\nHost: app.test\r\n');
    assert.equal(parse('GET http://other/x HTTP/1.1\r\nHost: app.test\r\n\r\n').result, malformed);
  });

  test('persistence follows version and Connection', () => {
    assert.equal(parse('GET / HTTP/1.1\r\nHost: a\r\n\r\n').head.close, false);
    assert.equal(parse('GET / HTTP/1.1\r\nHost: a\r\nConnection: CLOSE\r\n\r\n').head.close, true);
    assert.equal(parse('GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n').head.close, true);
  });

  test('methods that may be sent twice', () => {
    const idempotent = (method: string) => parse(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`).head.idempotent;
    assert.deepEqual(['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'TRACE'].map(idempotent), Array(6).fill(true));
    assert.deepEqual(['POST', 'PATCH', 'get', 'GETS', 'PURGE'].map(idempotent), Array(5).fill(false));
  });

  test('what is refused, and how', () => {
    const rows: readonly (readonly [string, number])[] = [
      ['GET / HTTP/1.1\r\n\r\n', malformed],
      ['GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n', malformed],
      ['GET / HTTP/1.1\r\nHost:\r\n\r\n', malformed],
      ['GET / HTTP/1.1\r\nHost: a/b\r\n\r\n', malformed],
      ['GET / HTTP/1.1\r\n Host: a\r\n\r\n', malformed],
      ['GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n', malformed],
      ['GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n', malformed],
      ['GET / HTTP/1.1\r\nHost: a\r\nX: y\x7f\r\n\r\n', malformed],
      ['GET / HTTP/1.1\r\nHost: a\n\r\n', malformed],
      ['GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n', malformed],
      ['GET a HTTP/1.1\r\nHost: a\r\n\r\n', malformed],
      ['GET /\tHTTP/1.1\r\nHost: a\r\n\r\n', malformed],
      ['G@T / HTTP/1.1\r\nHost: a\r\n\r\n', malformed],
      ['ABCDEFGHIJKLMNOPQRSTUVWXYZ', malformed],
      ['GET / http/1.1\r\nHost: a\r\n\r\n', malformed],
      ['GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n', unsupportedCoding],
      ['GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n', malformed],
      ['GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n', malformed],
      ['GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1234567890123456\r\n\r\n', malformed],
      ['GET / HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\n', malformed],
      ['GET / HTTP/1.2\r\nHost: a\r\n\r\n', unsupportedVersion],
      ['GET / HTTP/2.0\r\nHost: a\r\n\r\n', unsupportedVersion],
      ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', http2Preface],
      [`GET / HTTP/1.1\r\nHost: a\r\n${'a: b\r\n'.repeat(128)}\r\n`, tooManyFields],
    ];
    for (const [text, code] of rows) assert.equal(parse(text).result, code, JSON.stringify(text.slice(0, 90)));
  });

  test('every prefix of a good head asks for more, whatever follows the head', () => {
    const good = 'PUT /path HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\nX: \r\n\r\n';
    for (let length = 0; length < good.length; length++)
      assert.equal(parse(good.slice(0, length)).result, incomplete, good.slice(0, length));
    assert.equal(parse(`${good}\0\r\n`).result, good.length);
  });

  test('arbitrary bytes never throw, never read past the end, and what is accepted is unambiguous', () => {
    const piece = fc.constantFrom(
      'GET',
      ' ',
      '/',
      'HTTP/1.1',
      '\r\n',
      '\n',
      '\r',
      ':',
      'Host',
      'Content-Length',
      'Transfer-Encoding',
      'chunked',
      '1',
      ',',
      '\t',
      '\0',
      'x',
      '\xff',
      'Connection',
      'close',
    );
    const noise = fc.array(fc.oneof({ weight: 9, arbitrary: piece }, fc.string({ unit: 'binary', maxLength: 3 })), { maxLength: 40 });
    fc.assert(
      fc.property(noise, fc.boolean(), (pieces, wellBegun) => {
        const text = `${wellBegun ? 'GET / HTTP/1.1\r\nHost: a\r\n' : ''}${pieces.join('')}`;
        const it = parse(text);
        assert.ok(it.result <= it.bytes.length);
        if (it.result <= 0) return;
        const sent = kept(it);
        assert.ok(it.bytes.toString('latin1', it.head.end, it.result) === '\r\n');
        assert.ok(!(it.head.chunked && it.head.contentLength >= 0));
        assert.doesNotMatch(sent, /\r(?!\n)|(?<!\r)\n|\0/);
        assert.ok((sent.match(/^content-length\s*:/gim) ?? []).length <= 1);
        assert.doesNotMatch(sent, /^[ \t]/m);
      }),
      { numRuns: 3000 },
    );
  });
});
