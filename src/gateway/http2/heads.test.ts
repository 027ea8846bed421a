import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { parseRequestHead, RequestHead } from '#gateway/http/request-head.ts';
import { parseResponseHead, ResponseHead } from '#gateway/http/response-head.ts';
import { chunkBytes, lastChunkBytes, requestBytes, responseBytes } from '#gateway/http2/to-bytes.ts';
import { requestFields, responseFields, trailerFields } from '#gateway/http2/to-fields.ts';

const get = [':method', 'GET', ':scheme', 'http', ':authority', 'app.test', ':path', '/a?b'];
const text = (bytes: Buffer | undefined) => bytes?.toString('latin1');

describe('HTTP/2 fields as HTTP/1.1 bytes', () => {
  test('a request without content', () => {
    const message = requestBytes([...get, 'accept', '*/*', 'cookie', 'a=1', 'cookie', 'b=2'], true);
    assert.equal(
      text(message?.head),
      'GET /a?b HTTP/1.1\r\nHost: app.test\r\naccept: */*\r\ncookie: a=1; b=2\r\nConnection: close\r\n\r\n',
    );
    assert.equal(message?.chunked, false);
  });

  test('content of unknown length is chunked, of known length is not', () => {
    assert.match(text(requestBytes(get, false)?.head) ?? '', /Transfer-Encoding: chunked\r\n/);
    const known = requestBytes([...get, 'content-length', '5'], false);
    assert.equal(known?.chunked, false);
    assert.doesNotMatch(text(known?.head) ?? '', /chunked/);
  });

  test('what no request can be made of is refused', () => {
    assert.equal(requestBytes([':method', 'GET', ':authority', 'app.test'], true), undefined);
    assert.equal(requestBytes([...get, 'host', 'other.test'], true), undefined);
    assert.equal(requestBytes([...get, 'x', 'a\r\nTransfer-Encoding: chunked'], true), undefined);
    assert.equal(responseBytes(['x', '1'], true, false), undefined);
  });

  test('framing and connection fields of the other side never get through', () => {
    const head = text(requestBytes([...get, 'transfer-encoding', 'chunked', 'connection', 'x', 'upgrade', 'h2c'], true)?.head);
    assert.equal(head, 'GET /a?b HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n');
  });

  test('responses: interim, bodiless, ending with their head', () => {
    assert.equal(text(responseBytes([':status', '103', 'link', 'x'], false, false)?.head), 'HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n');
    assert.doesNotMatch(text(responseBytes([':status', '204'], true, false)?.head) ?? '', /chunked/);
    assert.doesNotMatch(text(responseBytes([':status', '200'], true, true)?.head) ?? '', /chunked/);
    assert.match(text(responseBytes([':status', '200'], true, false)?.head) ?? '', /chunked\r\nConnection: close\r\n\r\n0\r\n\r\n$/);
  });

  test('chunks and trailers', () => {
    assert.equal(text(chunkBytes(Buffer.alloc(255, 'x'))), `ff\r\n${'x'.repeat(255)}\r\n`);
    assert.equal(text(lastChunkBytes(['grpc-status', '0', 'transfer-encoding', 'x'])), '0\r\ngrpc-status: 0\r\n\r\n');
  });

  test('every request made of tokens and visible values parses strictly to the same fields', () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/).filter((one) => !/^(host|cookie|te|content-length|expect)$/.test(one));
    const value = fc.stringMatching(/^[!-~]([ -~]{0,30}[!-~])?$/);
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value), { maxLength: 20 }), fc.boolean(), (pairs, ends) => {
        const message = requestBytes([...get, ...pairs.flat()], ends);
        assert.ok(message !== undefined);
        const head = new RequestHead();
        assert.equal(parseRequestHead(message.head, 0, message.head.length, head), message.head.length);
        assert.equal(head.chunked, !ends);
        const back = requestFields(message.head);
        const dropped = /^(connection|keep-alive|proxy-connection|transfer-encoding|upgrade|http2-settings)$/;
        const kept = pairs.filter(([one]) => !dropped.test(one));
        const names = new Set([':method', ':scheme', ':path', ':authority', 'te', ...kept.map(([one]) => one)]);
        assert.deepEqual(new Set(Object.keys(back.fields)), names);
        for (const [one] of kept)
          assert.deepEqual(
            [back.fields[one]].flat(),
            kept.filter(([other]) => other === one).map(([, text]) => text),
          );
      }),
    );
  });
});

describe('HTTP/1.1 bytes as HTTP/2 fields', () => {
  test('a composed request', () => {
    const bytes = Buffer.from(
      'POST /x HTTP/1.1\r\nHost: app.test\r\nContent-Length: 3\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-A: 1\r\n\r\nabc',
    );
    const request = requestFields(bytes);
    const pseudo = { ':method': 'POST', ':scheme': 'http', ':path': '/x', ':authority': 'app.test' };
    assert.deepEqual({ ...request.fields }, { ...pseudo, 'content-length': '3', 'x-a': '1', te: 'trailers' });
    assert.equal(request.contentLength, 3);
    assert.equal(bytes.toString('latin1', request.next), 'abc');
  });

  test('names that objects have of themselves are names like any other', () => {
    const { fields } = requestFields(Buffer.from('GET / HTTP/1.1\r\n__proto__: 1\r\nconstructor: 2\r\nconstructor: 3\r\n\r\n'));
    assert.deepEqual([fields['__proto__'], fields['constructor']], ['1', ['2', '3']]);
  });

  test('a request with no fields at all', () => {
    const request = requestFields(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
    assert.deepEqual({ ...request.fields }, { ':method': 'GET', ':scheme': 'http', ':path': '/', te: 'trailers' });
    assert.equal(request.next, 18);
  });

  test('a response, and its trailers', () => {
    const bytes = Buffer.from(
      'HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n',
    );
    const head = new ResponseHead();
    parseResponseHead(bytes, 0, bytes.length, head);
    assert.deepEqual({ ...responseFields(bytes, head) }, { ':status': '200', 'set-cookie': ['a', 'b'] });
    const trailers = trailerFields(Buffer.from('Grpc-Status: 0\r\nX: 1\r\nX: 2\r\nContent-Length: 3\r\n'));
    assert.deepEqual({ ...trailers }, { 'grpc-status': '0', x: ['1', '2'] });
  });
});
