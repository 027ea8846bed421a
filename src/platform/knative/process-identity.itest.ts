import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { isDead, processIdentity } from '#platform/knative/process-identity.ts';

test('a process is dead once it has ended, and no sooner', async () => {
  const child = spawn('sleep', ['60']);
  await once(child, 'spawn');
  const identity = processIdentity(child.pid);
  assert.equal(isDead(identity), false);
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.equal(isDead(identity), true);
});

test('another process of the same number is another one', () => {
  const own = processIdentity();
  assert.equal(isDead(own), false);
  assert.equal(isDead(own.replace(/_(\d+)_(\w+)$/, '_1_$2')), true);
});

test('of what may be elsewhere nothing is known', () => {
  const elsewhere = processIdentity().replace(/\w{12}$/, '0123456789ab');
  assert.equal(isDead(elsewhere), false);
  for (const foreign of ['dormouse-control', '', 'vm_1_abc', 'controller-7d9f_0d1e']) assert.equal(isDead(foreign), false);
});
