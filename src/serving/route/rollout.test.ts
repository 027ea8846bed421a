import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { goalOf, isSettled, readRollout, rolled, step, withoutGone, type Rollout } from '#serving/route/rollout.ts';
import type { RevisionTarget } from '#serving/route/traffic.ts';

const second = 1e9;
const target = (revision: string, percent = 100, tag = ''): RevisionTarget => ({
  revision,
  tag,
  percent,
  latestRevision: true,
  protocol: 'http1',
  spec: { configurationName: 'c' },
});
const at = (seconds: number, observed = false, durationS = 101) => ({ nowNs: 1000 * second + seconds * second, durationS, observed });
const shares = (rollout: Rollout) =>
  rollout.configurations?.[0]?.revisions?.map(({ revisionName, percent }) => `${revisionName}=${percent}`);
const settled = goalOf([target('r1')]);
const begun = () => step(goalOf([target('r2')]), settled, at(0)).rollout;

describe('gradual rollout', () => {
  test('without a state before, the goal is reached at once', () => {
    const { rollout, nextNs } = step(settled, undefined, at(0));
    assert.deepEqual([shares(rollout), nextNs, isSettled(rollout)], [['r1=100'], 0, true]);
  });

  test('begins with one percent and waits until the gateway has it', () => {
    assert.deepEqual(shares(begun()), ['r1=99', 'r2=1']);
    assert.deepEqual(begun().configurations?.[0]?.stepParams, { starttime: at(0).nowNs });
    const still = step(goalOf([target('r2')]), begun(), at(5));
    assert.deepEqual([shares(still.rollout), still.nextNs], [['r1=99', 'r2=1'], 0]);
  });

  test('steps follow from the time the first percent took, and end at the goal', () => {
    // 20 s for the first percent leaves 81 s: four steps of a little over 24 percent.
    let { rollout, nextNs } = step(goalOf([target('r2')]), begun(), at(20, true));
    const { stepSize, stepDuration } = rollout.configurations?.[0]?.stepParams ?? {};
    assert.deepEqual([stepSize, stepDuration], [24, 20 * second]);
    const seen = [];
    while (nextNs > 0) {
      ({ rollout, nextNs } = step(goalOf([target('r2')]), rollout, { ...at(0), nowNs: nextNs }));
      seen.push(shares(rollout)?.join(' '));
    }
    assert.deepEqual(seen, ['r1=75 r2=25', 'r1=51 r2=49', 'r1=27 r2=73', 'r1=3 r2=97', 'r2=100']);
    assert.deepEqual(rollout.configurations?.[0]?.stepParams, {});
  });

  test('a third revision takes its percent from the newest; the next steps take from those nearest to it', () => {
    const third = step(goalOf([target('r3')]), { configurations: [stage('r1=60', 'r2=40')] }, at(0)).rollout;
    assert.deepEqual(shares(third), ['r1=60', 'r2=39', 'r3=1']);
    const stepping = {
      configurations: [{ ...stage('r1=60', 'r2=39', 'r3=1'), stepParams: { stepSize: 50, stepDuration: second, nextStepTime: 1 } }],
    };
    assert.deepEqual(shares(step(goalOf([target('r3')]), stepping, at(0)).rollout), ['r1=49', 'r3=51']);
  });

  test("a change of the configuration's own share is given to the newest or taken from the oldest", () => {
    const more = step(goalOf([target('r2', 80)]), { configurations: [{ ...stage('r1=30', 'r2=20'), percent: 50 }] }, at(0)).rollout;
    assert.deepEqual(shares(more), ['r1=30', 'r2=50']);
    const less = step(goalOf([target('r2', 40)]), { configurations: [stage('r1=70', 'r2=30')] }, at(0)).rollout;
    assert.deepEqual(shares(less), ['r1=10', 'r2=30']);
    const one = step(goalOf([target('r2', 1)]), { configurations: [stage('r1=99', 'r2=1')] }, at(0)).rollout;
    assert.deepEqual(shares(one), ['r2=1']);
  });

  test('what a deleted revision had goes to the newest that is left; with none left the goal is reached at once', () => {
    const goal = goalOf([target('r2')]);
    const moving = step(goal, begun(), at(1, true)).rollout;
    const left = withoutGone(moving, (name) => name !== 'r1');
    assert.deepEqual(shares(step(goal, left, at(2)).rollout), ['r2=100']);
    assert.deepEqual(shares(withoutGone(moving, (name) => name !== 'r2') as Rollout), ['r1=100']);
    assert.deepEqual(
      shares(
        step(
          goalOf([target('r3')]),
          withoutGone(moving, () => false),
          at(2),
        ).rollout,
      ),
      ['r3=100'],
    );
    assert.equal(
      withoutGone(undefined, () => true),
      undefined,
    );
  });

  test('an annotation that does not add up is none', () => {
    assert.deepEqual(readRollout(JSON.stringify(settled)), settled);
    for (const text of [undefined, '', '{', JSON.stringify({ configurations: [{ ...stage('r1=60', 'r2=30'), percent: 100 }] })]) {
      assert.equal(readRollout(text), undefined);
    }
  });

  test('targets have the shares of the present state; others stay', () => {
    const pinned = { ...target('old', 50), latestRevision: false, spec: { revisionName: 'old' } };
    const state: Rollout = { configurations: [{ ...stage('r1=30', 'r2=20'), percent: 50 }] };
    assert.deepEqual(
      rolled([pinned, target('r2', 50)], '', state).map(({ revision, percent }) => `${revision}=${percent}`),
      ['old=50', 'r1=30', 'r2=20'],
    );
    assert.deepEqual(rolled([target('r2', 100, 't')], 't', state), [target('r2', 100, 't')]);
  });
});

function stage(...texts: string[]) {
  const revisions = texts.map((text) => ({ revisionName: text.split('=')[0] ?? '', percent: Number(text.split('=')[1]) }));
  return { configurationName: 'c', percent: 100, revisions, stepParams: {} };
}
