import { deployments } from '#apis/apps/v1/deployment.ts';
import { replicaSets } from '#apis/apps/v1/replica-set.ts';
import { statefulSets } from '#apis/apps/v1/stateful-set.ts';
import { pods, type Pod } from '#apis/core/v1/pod.ts';
import { selectorMatches } from '#apis/meta/label-selector.ts';
import { podDisruptionBudgets, type PodDisruptionBudget } from '#apis/policy/v1/pod-disruption-budget.ts';
import { controllerOf, objectKey, type KubeObject, type OwnerReference } from '#apis/meta/object.ts';
import type { Informer } from '#client/informer-types.ts';
import { timestamp, withCondition } from '#controller/conditions.ts';
import { done, requeue, type ControllerContext, type ControllerModule, type Outcome } from '#controller/controller.ts';
import { countBudget, disruptionMs, pendingDisruptions } from '#cluster/disruption/budget.ts';

type Scaled = KubeObject & { readonly spec?: { readonly replicas?: number } };

/** PodDisruptionBudget → how many of its pods may be evicted now. */
export const disruptionController: ControllerModule<PodDisruptionBudget> = {
  name: 'disruption-controller',
  setup(context, enqueue) {
    const { informers } = context;
    const podInformer = informers.of(pods);
    const budgets = informers.of(podDisruptionBudgets);
    const selects = (budget: PodDisruptionBudget, { metadata }: Pod) =>
      budget.metadata.namespace === metadata.namespace && selectorMatches(budget.spec?.selector, metadata.labels);
    podInformer.on(({ object }) => {
      for (const budget of budgets.list(object.metadata.namespace)) if (selects(budget, object)) enqueue.key(objectKey(budget));
    });
    const owners = {
      ReplicaSet: informers.of(replicaSets) as Informer<Scaled>,
      StatefulSet: informers.of(statefulSets) as Informer<Scaled>,
      Deployment: informers.of(deployments) as Informer<Scaled>,
    };
    for (const informer of Object.values(owners)) {
      informer.on(({ object }) => {
        for (const budget of budgets.list(object.metadata.namespace)) enqueue.key(objectKey(budget));
      });
    }
    const reconcile = (budget: PodDisruptionBudget) => {
      const selected = podInformer.list(budget.metadata.namespace).filter((pod) => selects(budget, pod));
      return Promise.resolve(describe(context, budget, selected, scaleOf(selected, owners)));
    };
    return { resource: podDisruptionBudgets, reconcile };
  },
};

function describe({ clock }: ControllerContext, budget: PodDisruptionBudget, selected: readonly Pod[], scale: number): Outcome {
  const disruptedPods = pendingDisruptions(budget, selected, clock.now());
  const counts = countBudget(budget, selected, scale, disruptedPods);
  const enough = counts.disruptionsAllowed > 0;
  const condition = {
    type: 'DisruptionAllowed',
    status: enough ? ('True' as const) : ('False' as const),
    reason: enough ? 'SufficientPods' : 'InsufficientPods',
    message: '',
    observedGeneration: budget.metadata.generation ?? 0,
  };
  const hasPending = Object.keys(disruptedPods).length > 0;
  const { disruptedPods: _, ...rest } = budget.status ?? {};
  budget.status = {
    ...rest,
    ...counts,
    ...(hasPending ? { disruptedPods } : {}),
    observedGeneration: budget.metadata.generation ?? 0,
    conditions: withCondition(budget.status?.conditions, condition, timestamp(clock)),
  };
  return hasPending ? requeue(disruptionMs) : done;
}

/** How many pods the controllers of these want, each counted once; a ReplicaSet's Deployment decides for it. */
function scaleOf(selected: readonly Pod[], owners: Readonly<Record<string, Informer<Scaled>>>): number {
  const wanted = new Map<string, number>();
  for (const pod of selected) {
    const namespace = pod.metadata.namespace;
    const find = (reference: OwnerReference | undefined) =>
      reference === undefined ? undefined : owners[reference.kind]?.get(namespace, reference.name);
    const owner = find(controllerOf(pod));
    const top = (owner === undefined ? undefined : find(controllerOf(owner))) ?? owner;
    if (top !== undefined) wanted.set(top.metadata.uid ?? '', top.spec?.replicas ?? 1);
  }
  return [...wanted.values()].reduce((total, count) => total + count, 0);
}
