import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { refusalUnder } from '#node/pods/admission.ts';
import { testPod } from '#node/testing/fixture.ts';

const none = { memory: false, disk: false, pids: false };
const burstable = { containers: [{ resources: { requests: { memory: '1Mi' } } }] };

describe('a node under pressure', () => {
  it('takes every pod while there is none, or none is known', () => {
    assert.equal(refusalUnder(none, testPod()), undefined);
    assert.equal(refusalUnder(undefined, testPod()), undefined);
  });

  it('refuses pods on a full disk, but for critical ones', () => {
    const disk = { ...none, disk: true };
    assert.deepEqual(refusalUnder(disk, testPod(burstable)), { reason: 'Evicted', message: 'The node had condition: [DiskPressure]. ' });
    assert.equal(refusalUnder(disk, testPod({ priority: 2_000_000_000 })), undefined);
    assert.equal(
      refusalUnder({ memory: true, disk: true, pids: true }, testPod())?.message,
      'The node had condition: [MemoryPressure DiskPressure PIDPressure]. ',
    );
  });

  it('short of memory alone, takes what has asked for memory or tolerates it', () => {
    const memory = { ...none, memory: true };
    const tolerating = (toleration: object) => testPod({ tolerations: [toleration] });
    assert.equal(refusalUnder(memory, testPod())?.reason, 'Evicted');
    assert.equal(refusalUnder(memory, testPod(burstable)), undefined);
    assert.equal(refusalUnder(memory, tolerating({ key: 'node.kubernetes.io/memory-pressure', operator: 'Exists' })), undefined);
    assert.equal(refusalUnder(memory, tolerating({ operator: 'Exists' })), undefined);
    assert.equal(refusalUnder(memory, tolerating({ key: 'other', operator: 'Exists' }))?.reason, 'Evicted');
  });
});
