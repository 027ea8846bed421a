import { deployments, type Deployment } from '#apis/apps/v1/deployment.ts';
import { replicaSets, type ReplicaSet } from '#apis/apps/v1/replica-set.ts';
import { pods, type Pod } from '#apis/core/v1/pod.ts';
import { podTemplateSpecSchema } from '#apis/core/v1/pod-spec.ts';
import { isReason } from '#apis/meta/status.ts';
import { deleteObject } from '#client/delete-object.ts';
import type { Informer } from '#client/informer-types.ts';
import { done, requeue, type ControllerContext, type ControllerModule, type Outcome } from '#controller/controller.ts';
import { childrenOf, controllerReference, indexByOwner, trackChildren } from '#controller/owner.ts';
import { deepClone } from '#machinery/deep.ts';
import { semanticEqual } from '#machinery/semantic-equality.ts';
import { deploymentStatus, progressDeadlineLeftMs } from '#cluster/deployment/status.ts';
import {
  proportionalStep,
  recreateStep,
  replicasOf,
  rollingLimits,
  rollingStep,
  scaleOnly,
  type ScaleSteps,
} from '#cluster/deployment/rollout.ts';
import { templateHash } from '#cluster/template-hash.ts';

const revisionAnnotation = 'deployment.kubernetes.io/revision';
const desiredAnnotation = 'deployment.kubernetes.io/desired-replicas';
const maxAnnotation = 'deployment.kubernetes.io/max-replicas';
const hashLabel = 'pod-template-hash';
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';

/** Deployment → one ReplicaSet a template; moves pods from the old ones to the current one. */
export const deploymentController: ControllerModule<Deployment> = {
  name: 'deployment-controller',
  setup(context, enqueue) {
    const sets = context.informers.of(replicaSets);
    const podInformer = context.informers.of(pods);
    trackChildren(sets, deployments, enqueue);
    indexByOwner(podInformer);
    // Recreate waits for the last old pod to be gone, which no ReplicaSet's status tells.
    podInformer.on((event) => {
      if (event.type !== 'deleted') return;
      const owner = sets.get(event.object.metadata.namespace, event.object.metadata.ownerReferences?.[0]?.name ?? '');
      const parent = owner?.metadata.ownerReferences?.find((one) => one.kind === 'Deployment');
      if (parent !== undefined) enqueue.key(`${event.object.metadata.namespace}/${parent.name}`);
    });
    const reconciler = new DeploymentReconciler(context, sets, podInformer);
    return {
      resource: deployments,
      workers: 8,
      isUrgent: true,
      reconcile: (deployment) => reconciler.reconcile(deployment),
    };
  },
};

class DeploymentReconciler {
  readonly #context: ControllerContext;
  readonly #sets: Informer<ReplicaSet>;
  readonly #pods: Informer<Pod>;

  constructor(context: ControllerContext, sets: Informer<ReplicaSet>, podInformer: Informer<Pod>) {
    this.#context = context;
    this.#sets = sets;
    this.#pods = podInformer;
  }

  async reconcile(deployment: Deployment): Promise<Outcome> {
    if (deployment.metadata.deletionTimestamp !== undefined) return done;
    const owned = childrenOf(this.#sets, deployment);
    const template = deployment.spec?.template;
    const found = owned.find((set) => sameTemplate(set, deployment));
    const paused = deployment.spec?.paused === true;
    const current =
      found === undefined ? (paused ? undefined : await this.#create(deployment, owned)) : await this.#adopt(deployment, found, owned);
    const old = owned.filter((set) => set.metadata.uid !== current?.metadata.uid);
    const steps = this.#plan(deployment, current, old);
    const scaled = await this.#scale(deployment, [...(current === undefined ? [] : [current]), ...old], steps);
    const sets = scaled.length === 0 ? [...(current === undefined ? [] : [current]), ...old] : scaled;
    const nowCurrent = sets.find((set) => set.metadata.uid === current?.metadata.uid);
    // A set that was just scaled says soon how it stands: until then there is nothing to tell, and each status written is work for many.
    const isTold = found === undefined || sets.every((set) => set.status?.observedGeneration === set.metadata.generation);
    if (isTold) deploymentStatus(deployment, nowCurrent, sets, this.#context.clock, template !== undefined && found === undefined);
    await this.#noteRevision(deployment, nowCurrent);
    await this.#cleanUp(
      deployment,
      sets.filter((set) => set !== nowCurrent),
    );
    const leftMs = progressDeadlineLeftMs(deployment, this.#context.clock.now());
    return leftMs === undefined ? done : requeue(leftMs);
  }

  #plan(deployment: Deployment, current: ReplicaSet | undefined, old: readonly ReplicaSet[]): ScaleSteps {
    const live = [...(current === undefined ? [] : [current]), ...old].filter((set) => replicasOf(set) > 0);
    const wanted = deployment.spec?.replicas ?? 1;
    const wasScaled = live.some((set) => Number(set.metadata.annotations?.[desiredAnnotation] ?? wanted) !== wanted);
    if (deployment.spec?.paused === true || (wasScaled && live.length > 1)) {
      if (live.length === 1 && live[0] !== undefined) return scaleOnly(deployment, live[0]);
      return live.length === 0 && current !== undefined ? scaleOnly(deployment, current) : proportionalStep(deployment, live);
    }
    if (current === undefined) return new Map();
    if (old.every((set) => replicasOf(set) === 0) && deployment.spec?.strategy?.type !== 'Recreate') return scaleOnly(deployment, current);
    if (deployment.spec?.strategy?.type === 'Recreate') return recreateStep(deployment, current, old, this.#hasOldPods(old));
    return rollingStep(deployment, current, old);
  }

  #hasOldPods(old: readonly ReplicaSet[]): boolean {
    return old.some((set) =>
      childrenOf(this.#pods, set).some((pod) => pod.status?.phase !== 'Succeeded' && pod.status?.phase !== 'Failed'),
    );
  }

  async #create(deployment: Deployment, owned: readonly ReplicaSet[]): Promise<ReplicaSet> {
    const { name = '', namespace = '' } = deployment.metadata;
    const hash = templateHash(deployment.spec?.template, deployment.status?.collisionCount ?? 0);
    const set = makeReplicaSet(deployment, hash, nextRevision(owned));
    const live = owned.filter((one) => replicasOf(one) > 0);
    if (live.length === 0 && set.spec !== undefined) set.spec.replicas = deployment.spec?.replicas ?? 1;
    try {
      const created = await this.#context.client.of(replicaSets).create(set);
      if (replicasOf(created) > 0) {
        const text = `Scaled up replica set ${created.metadata.name} from 0 to ${replicasOf(created)}`;
        this.#context.events.event(deployment, 'Normal', 'ScalingReplicaSet', text);
      }
      return created;
    } catch (error) {
      if (!isReason(error, 'AlreadyExists')) throw error;
      const existing = await this.#context.client.of(replicaSets).get(namespace, `${name}-${hash}`);
      if (childOf(existing, deployment) && sameTemplate(existing, deployment)) return existing;
      deployment.status = { ...deployment.status, collisionCount: (deployment.status?.collisionCount ?? 0) + 1 };
      throw error;
    }
  }

  /** Notes on the current set what changed on the Deployment: its annotations, its revision number, minReadySeconds. */
  async #adopt(deployment: Deployment, set: ReplicaSet, owned: readonly ReplicaSet[]): Promise<ReplicaSet> {
    const own = Number(set.metadata.annotations?.[revisionAnnotation] ?? 0);
    const others = Math.max(
      0,
      ...owned.filter((one) => one !== set).map((one) => Number(one.metadata.annotations?.[revisionAnnotation] ?? 0)),
    );
    const annotations = {
      ...set.metadata.annotations,
      ...copied(deployment),
      [revisionAnnotation]: String(own > others ? own : others + 1),
    };
    const minReadySeconds = deployment.spec?.minReadySeconds ?? set.spec?.minReadySeconds;
    if (semanticEqual(annotations, set.metadata.annotations) && minReadySeconds === set.spec?.minReadySeconds) return set;
    const next = deepClone(set);
    next.metadata.annotations = annotations;
    if (next.spec !== undefined && minReadySeconds !== undefined) next.spec.minReadySeconds = minReadySeconds;
    return this.#context.client.of(replicaSets).update(next);
  }

  /** Carries the steps out; resolves with all sets as they are afterwards. */
  #scale(deployment: Deployment, sets: readonly ReplicaSet[], steps: ScaleSteps): Promise<ReplicaSet[]> {
    const wanted = deployment.spec?.replicas ?? 1;
    const notes = { [desiredAnnotation]: String(wanted), [maxAnnotation]: String(wanted + rollingLimits(deployment).surge) };
    return Promise.all(
      sets.map(async (set) => {
        const replicas = steps.get(set.metadata.name ?? '') ?? replicasOf(set);
        const noted = Object.entries(notes).every(([key, value]) => set.metadata.annotations?.[key] === value);
        if (replicas === replicasOf(set) && (noted || replicas === 0)) return set;
        const body = { metadata: { annotations: notes, resourceVersion: set.metadata.resourceVersion }, spec: { replicas } };
        const updated = await this.#context.client
          .of(replicaSets)
          .patch(set.metadata.namespace, set.metadata.name ?? '', { type: 'merge', body });
        if (replicas !== replicasOf(set)) {
          const direction = replicas > replicasOf(set) ? 'up' : 'down';
          this.#context.events.event(
            deployment,
            'Normal',
            'ScalingReplicaSet',
            `Scaled ${direction} replica set ${set.metadata.name} from ${replicasOf(set)} to ${replicas}`,
          );
        }
        return updated;
      }),
    );
  }

  async #noteRevision(deployment: Deployment, current: ReplicaSet | undefined): Promise<void> {
    const revision = current?.metadata.annotations?.[revisionAnnotation];
    if (revision === undefined || deployment.metadata.annotations?.[revisionAnnotation] === revision) return;
    const body = { metadata: { annotations: { [revisionAnnotation]: revision } } };
    const { namespace, name = '' } = deployment.metadata;
    const patched = await this.#context.client.of(deployments).patch(namespace, name, { type: 'merge', body });
    if (patched.metadata.resourceVersion !== undefined) deployment.metadata.resourceVersion = patched.metadata.resourceVersion;
  }

  /** Old sets without pods go, but for the last few (revisionHistoryLimit), which `rollout undo` needs. */
  async #cleanUp(deployment: Deployment, old: readonly ReplicaSet[]): Promise<void> {
    const limit = deployment.spec?.revisionHistoryLimit ?? 10;
    const idle = old
      .filter(
        (set) => replicasOf(set) === 0 && (set.status?.replicas ?? 0) === 0 && set.status?.observedGeneration === set.metadata.generation,
      )
      .toSorted((a, b) => revisionOf(a) - revisionOf(b));
    for (const set of idle.slice(0, Math.max(0, idle.length - limit))) {
      await deleteObject(this.#context.client.of(replicaSets), set);
    }
  }
}

const revisionOf = (set: ReplicaSet): number => Number(set.metadata.annotations?.[revisionAnnotation] ?? 0);
const nextRevision = (owned: readonly ReplicaSet[]): number => Math.max(0, ...owned.map(revisionOf)) + 1;
const childOf = (set: ReplicaSet, deployment: Deployment): boolean =>
  set.metadata.ownerReferences?.some(({ uid, controller }) => controller === true && uid === deployment.metadata.uid) ?? false;

/** The set's template is the Deployment's, but for the hash label. */
function sameTemplate(set: ReplicaSet, deployment: Deployment): boolean {
  const template = set.spec?.template;
  const { [hashLabel]: _, ...labels } = template?.metadata?.labels ?? {};
  const own = template?.metadata?.labels === undefined ? template : { ...template, metadata: { ...template.metadata, labels } };
  return semanticEqual(own, deployment.spec?.template, podTemplateSpecSchema);
}

function copied(deployment: Deployment): Record<string, string> {
  const own = [lastApplied, revisionAnnotation, desiredAnnotation, maxAnnotation, 'deployment.kubernetes.io/revision-history'];
  return Object.fromEntries(Object.entries(deployment.metadata.annotations ?? {}).filter(([key]) => !own.includes(key)));
}

function makeReplicaSet(deployment: Deployment, hash: string, revision: number): ReplicaSet {
  const { name = '', namespace = '' } = deployment.metadata;
  const template = deployment.spec?.template;
  const wanted = deployment.spec?.replicas ?? 1;
  return {
    metadata: {
      name: `${name}-${hash}`,
      namespace,
      labels: { ...template?.metadata?.labels, [hashLabel]: hash },
      annotations: {
        ...copied(deployment),
        [revisionAnnotation]: String(revision),
        [desiredAnnotation]: String(wanted),
        [maxAnnotation]: String(wanted + rollingLimits(deployment).surge),
      },
      ownerReferences: [controllerReference(deployment, deployments)],
    },
    spec: {
      replicas: 0,
      ...(deployment.spec?.minReadySeconds === undefined ? {} : { minReadySeconds: deployment.spec.minReadySeconds }),
      selector: { ...deployment.spec?.selector, matchLabels: { ...deployment.spec?.selector?.matchLabels, [hashLabel]: hash } },
      template: { ...template, metadata: { ...template?.metadata, labels: { ...template?.metadata?.labels, [hashLabel]: hash } } },
    },
  } as ReplicaSet;
}
