import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { annotations, labels } from '#apis/serving/names.ts';
import type { Configuration, ConfigurationStatus } from '#apis/serving/v1/schemas.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import { reconcileOnce } from '#controller/testing.ts';
import { configurationController } from '#serving/configuration/reconciler.ts';
import { aConfiguration, aRevision, conditionsOf, status } from '#serving/testing.ts';

const reconcile = (...objects: KubeObject[]) => reconcileOnce(configurationController, { objects, key: 'n/s' });
const ready = { status: status({ Ready: 'True' }) };
const failed = { status: status({ Ready: 'False ContainerMissing: no such image' }) };
const at = (generation: number, more: object = {}): Configuration =>
  aConfiguration({ metadata: { generation }, ...(Object.keys(more).length === 0 ? {} : { status: status({ Ready: 'True' }, more) }) });
const named = (name: string): Configuration =>
  aConfiguration({ spec: { template: { metadata: { name }, spec: { containers: [{ name: 'c', image: 'i' }] } } } });

describe('configuration controller', () => {
  test('makes one revision a generation, with its labels and its maker', async () => {
    const maker = { [annotations.creator]: 'eve', [annotations.lastModifier]: 'bob' };
    const configuration = aConfiguration({ metadata: { generation: 7, annotations: maker, labels: { [labels.service]: 's' } } });
    const { creates, events, status: after } = await reconcile(configuration);
    const { metadata } = creates[0] ?? { metadata: {} };
    assert.deepEqual([creates.length, metadata.name], [1, 's-00007']);
    assert.deepEqual(metadata.labels, {
      [labels.configuration]: 's',
      [labels.configurationGeneration]: '7',
      [labels.configurationUid]: 'uid-configuration-s',
      [labels.service]: 's',
      [labels.routingState]: 'pending',
    });
    assert.equal(metadata.annotations?.[annotations.creator], 'bob');
    assert.deepEqual(events, ['Normal Created Created Revision "s-00007"']);
    assert.deepEqual(conditionsOf(after), { Ready: 'Unknown' });
    assert.deepEqual((after as ConfigurationStatus).latestCreatedRevisionName, 's-00007');
  });

  test('a ready revision becomes the latest ready one', async () => {
    const { creates, events, status: after } = await reconcile(at(1), aRevision(at(1), 1, ready));
    assert.deepEqual(creates, []);
    assert.equal((after as ConfigurationStatus).latestReadyRevisionName, 's-00001');
    assert.deepEqual(conditionsOf(after), { Ready: 'True' });
    assert.deepEqual(events, [
      'Normal ConfigurationReady Configuration becomes ready',
      'Normal LatestReadyUpdate LatestReadyRevisionName updated to "s-00001"',
    ]);
  });

  test('a failing newer revision leaves the older one the latest ready', async () => {
    const before = at(2, { latestReadyRevisionName: 's-00001', latestCreatedRevisionName: 's-00001' });
    const { events, status: after } = await reconcile(before, aRevision(before, 1, ready), aRevision(before, 2, failed));
    const { latestReadyRevisionName, latestCreatedRevisionName, observedGeneration } = after as ConfigurationStatus;
    assert.deepEqual([latestReadyRevisionName, latestCreatedRevisionName, observedGeneration], ['s-00001', 's-00002', 2]);
    assert.deepEqual(conditionsOf(after), { Ready: 'False RevisionFailed: Revision "s-00002" failed with message: no such image.' });
    assert.deepEqual(events, ['Warning LatestCreatedFailed Latest created revision "s-00002" has failed']);
  });

  test('a newest revision that is no failure any more makes the configuration unknown again', async () => {
    const before = aConfiguration({
      status: status({ Ready: 'False RevisionFailed: it failed' }, { latestCreatedRevisionName: 's-00001' }),
    });
    const { status: after } = await reconcile(before, aRevision(before, 1, { status: status({ Ready: 'Unknown Deploying' }) }));
    assert.deepEqual(conditionsOf(after), { Ready: 'Unknown' });
  });

  test('an older revision that becomes ready late takes over from none, not from a newer one', async () => {
    const fresh = at(2);
    const late = await reconcile(fresh, aRevision(fresh, 1, ready), aRevision(fresh, 2));
    assert.equal((late.status as ConfigurationStatus).latestReadyRevisionName, 's-00001');
    const before = at(3, { latestReadyRevisionName: 's-00002', latestCreatedRevisionName: 's-00003' });
    const { status: after } = await reconcile(
      before,
      aRevision(before, 1, ready),
      aRevision(before, 2, { status: status({ Ready: 'Unknown' }) }),
      aRevision(before, 3),
    );
    assert.equal((after as ConfigurationStatus).latestReadyRevisionName, 's-00002');
  });

  test('a deleted latest revision of this generation is made again', async () => {
    const { creates } = await reconcile(at(1, { latestReadyRevisionName: 's-00001', latestCreatedRevisionName: 's-00001' }));
    assert.deepEqual(
      creates.map(({ metadata }) => metadata.name),
      ['s-00001'],
    );
  });

  test('a revision may bring its name', async () => {
    const { creates } = await reconcile(named('s-mine'));
    assert.equal(creates[0]?.metadata.name, 's-mine');
  });

  test('a name that another configuration has taken is refused', async () => {
    const stranger = aRevision(aConfiguration({ metadata: { uid: 'another' } }), 1, { metadata: { name: 's-mine' } });
    const { creates, status: after } = await reconcile(named('s-mine'), stranger);
    assert.deepEqual(creates, []);
    assert.deepEqual(conditionsOf(after), {
      Ready: 'False RevisionFailed: Revision creation failed with message: revisions.serving.knative.dev "s-mine" already exists.',
    });
  });

  test('the name of an own older revision may come back with the same template, and serves again', async () => {
    const back = named('s-mine');
    back.metadata.generation = 3;
    back.status = status({ Ready: 'True' }, { latestReadyRevisionName: 's-00002', latestCreatedRevisionName: 's-00002' });
    const mine = aRevision(back, 1, { ...ready, metadata: { name: 's-mine' }, spec: { containers: [{ name: 'c', image: 'i' }] } });
    const { creates, status: after } = await reconcile(back, mine, aRevision(back, 2, ready));
    assert.deepEqual(creates, []);
    assert.equal((after as ConfigurationStatus).latestReadyRevisionName, 's-mine');
  });

  test('what the API says against a revision is the condition', async () => {
    const {
      events,
      status: after,
      error,
    } = await reconcileOnce(configurationController, {
      objects: [at(1)],
      key: 'n/s',
      fail: ({ verb }) => (verb === 'create' ? new Error('quota is used up') : undefined),
    });
    assert.match(String(error), /quota/);
    assert.deepEqual(conditionsOf(after), {
      Ready: 'False RevisionFailed: Revision creation failed with message: quota is used up.',
    });
    assert.deepEqual(events, ['Warning CreationFailed Failed to create Revision: quota is used up']);
  });
});
