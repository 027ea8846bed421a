import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { incomplete, malformed } from '#gateway/http/head.ts';
import { parseResponseHead, ResponseHead } from '#gateway/http/response-head.ts';

/** As in the gateway, where what earlier reads left lies behind the bytes that count. */
const parse = (text: string): { result: number; head: ResponseHead } => {
  const head = new ResponseHead();
  return { result: parseResponseHead(Buffer.from(`${text}1 200 OK\r\nX: y\r\n\r\n\r\n`, 'latin1'), 0, text.length, head), head };
};

describe('response heads', () => {
  test('status, framing and what the container says about idle connections', () => {
    const { result, head } = parse(
      'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nKeep-Alive: timeout=5, max=100\r\nConnection: keep-alive\r\n\r\n',
    );
    assert.ok(result > 0);
    assert.deepEqual([head.status, head.contentLength, head.keepAliveMs, head.close], [200, 3, 5000, false]);
    assert.equal(head.dropCount, 2);
  });

  test('a reason phrase may be missing or hold any text', () => {
    assert.ok(parse('HTTP/1.1 404\r\n\r\n').result > 0);
    assert.ok(parse('HTTP/1.1 404 \r\n\r\n').result > 0);
    assert.ok(parse('HTTP/1.0 200 Sch\xf6n ist es\r\n\r\n').result > 0);
  });

  test('an HTTP/1.0 response ends its connection', () => {
    assert.equal(parse('HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n').head.close, true);
  });

  test('what is refused', () => {
    for (const text of [
      'HTTP/2 200 OK\r\n\r\n  ',
      'HTTP/1.1 20 OK\r\n\r\n ',
      'HTTP/1.1 2000 OK\r\n\r\n',
      'HTTP/1.1  200 OK\r\n\r\n',
      'HTTP/1.1 200 OK\n\n     ',
      'HTTP/1.1 200 OK\r\nX : y\r\n\r\n',
      'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
      'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
    ]) {
      assert.equal(parse(text).result, malformed, JSON.stringify(text));
    }
  });

  test('every prefix of a good head asks for more', () => {
    const good = 'HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\nUpgrade: x\r\n\r\n';
    for (let length = 0; length < good.length; length++) assert.equal(parse(good.slice(0, length)).result, incomplete);
  });
});
