import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Outbox } from '#core/outbox.ts';

describe('an outbox', () => {
  test('hands over in batches what has come meanwhile, and what was left when it ended', async () => {
    const outbox = new Outbox<number>(10);
    outbox.push(1);
    outbox.push(2);
    const batches = outbox.batches();
    assert.deepEqual((await batches.next()).value, [1, 2]);
    const waiting = batches.next();
    outbox.push(3);
    outbox.push(4);
    assert.deepEqual((await waiting).value, [3, 4]);
    outbox.push(5);
    outbox.end();
    assert.deepEqual((await batches.next()).value, [5]);
    assert.equal((await batches.next()).done, true);
  });

  test('takes no more than its limit, and nothing after its end', () => {
    const outbox = new Outbox<number>(1);
    assert.deepEqual([outbox.push(1), outbox.push(2)], [true, false]);
    const ended = new Outbox<number>(1);
    ended.end();
    assert.equal(ended.push(1), false);
  });
});
