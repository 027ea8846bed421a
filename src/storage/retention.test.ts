import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RetentionPolicy } from './retention.ts';

const retention = { keepMs: 60_000, maxRevisions: 1000, maxBytes: 1_000_000, minRevisions: 10, checkEveryMs: 1 };

describe('retention', () => {
  test('keeps what is young and within the bounds', () => {
    const policy = new RetentionPolicy(retention, 0, 0);
    for (let i = 1; i <= 500; i++) policy.note(i, 100, i * 100);
    assert.equal(policy.horizon(50_000), 0);
  });

  test('forgets what is older than keepMs, but never the newest few', () => {
    const policy = new RetentionPolicy(retention, 0, 0);
    for (let i = 1; i <= 100; i++) policy.note(i, 100, i * 5000);
    const horizon = policy.horizon(500_000);
    assert.ok(horizon > 80 && horizon <= 88, `horizon ${horizon}`);
    assert.equal(policy.horizon(10_000_000), 90);
  });

  test('forgets beyond maxRevisions whatever the age', () => {
    const policy = new RetentionPolicy(retention, 0, 0);
    policy.note(5000, 100, 1);
    assert.equal(policy.horizon(2), 4000);
  });

  test('forgets beyond maxBytes whatever the age', () => {
    const policy = new RetentionPolicy(retention, 0, 0);
    for (let i = 1; i <= 20; i++) policy.note(i, 200_000, i * 2000);
    assert.equal(policy.horizon(40_000), 15);
  });

  test('counts the age of what was there before a restart from the restart', () => {
    const policy = new RetentionPolicy(retention, 900, 1000);
    policy.note(901, 10, 30_000);
    assert.equal(policy.horizon(60_000), 0);
    assert.equal(policy.horizon(61_000), 891);
  });
});
