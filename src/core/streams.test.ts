import assert from 'node:assert/strict';
import { PassThrough, Readable, Writable } from 'node:stream';
import { describe, it } from 'node:test';
import { targetOf } from '#core/node-http.ts';
import { readAll, writable } from '#core/streams.ts';

describe('streams', () => {
  it('are read up to a limit', async () => {
    const parts = () => Readable.from([Buffer.from('ab'), Buffer.from('cd')]);
    assert.equal((await readAll(parts(), 4)).toString(), 'abcd');
    await assert.rejects(readAll(parts(), 3), /larger than 3 bytes/);
    await assert.rejects(
      readAll(parts(), 3, () => new Error('too much')),
      /too much/,
    );
  });

  it('are waited for until they take more or are gone, and no listener stays', async () => {
    const slow = new PassThrough({ highWaterMark: 1 });
    assert.equal(slow.write('ab'), false);
    const drained = writable(slow);
    slow.resume();
    await drained;
    assert.deepEqual([slow.listenerCount('drain'), slow.listenerCount('close')], [0, 0]);
    const stuck = new Writable({ highWaterMark: 1, write: () => {} });
    stuck.write('ab');
    const gone = writable(stuck);
    stuck.destroy();
    await gone;
    await writable(stuck);
  });
});

describe('the target of a request', () => {
  it('is a path and a query whatever a client sends', () => {
    const cases: readonly (readonly [string, string])[] = [
      ['/a?b=c', '/a?b=c'],
      ['//', '//'],
      ['//host:99999/x', '//host:99999/x'],
      ['http://other/a?b', '/a?b'],
      ['*', '/'],
      [':99999', '/'],
    ];
    for (const [url, expected] of cases) {
      const { pathname, search } = targetOf({ url });
      assert.equal(`${pathname}${search}`, expected, url);
    }
  });
});
