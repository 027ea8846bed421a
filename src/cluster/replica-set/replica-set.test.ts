import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KubeObject } from '#apis/meta/object.ts';
import { forbidden } from '#apis/meta/status.ts';
import type { ControllerModule } from '#controller/controller.ts';
import { reconcileOnce } from '#controller/testing.ts';
import { replicaSetController } from '#cluster/replica-set/reconciler.ts';

const refusedFor = (name: string) => forbidden('', 'pods', name, 'exceeded quota');
const set = (status?: object): KubeObject =>
  ({
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { namespace: 'n', name: 'web', uid: 'u', generation: 1 },
    spec: { replicas: 1, selector: {}, template: { spec: { containers: [] } } },
    ...(status === undefined ? {} : { status }),
  }) as KubeObject;

describe('a replica set whose pods are refused', () => {
  it('says so once: the next refusal, of a pod of another name, changes nothing', async () => {
    const reconcile = (object: KubeObject, pod: string) =>
      reconcileOnce(replicaSetController as ControllerModule, {
        objects: [object],
        key: 'n/web',
        fail: ({ verb }) => (verb === 'create' ? refusedFor(pod) : undefined),
      });
    const first = await reconcile(set(), 'web-a');
    assert.match(String(first.error), /web-a/);
    const { conditions } = first.status as { conditions: readonly { reason: string; message: string }[] };
    assert.deepEqual([conditions[0]?.reason, conditions[0]?.message], ['FailedCreate', 'pods "web-a" is forbidden: exceeded quota']);
    const second = await reconcile(set(first.status as object), 'web-b');
    assert.match(String(second.error), /web-b/);
    assert.equal(second.status, undefined);
  });
});
