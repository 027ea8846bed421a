import type { Pod } from '#apis/core/v1/pod.ts';
import { pods } from '#apis/core/v1/pod.ts';
import { isEmptySelector, selectorMatches } from '#apis/meta/label-selector.ts';
import { objectKey } from '#apis/meta/object.ts';
import { isReason } from '#apis/meta/status.ts';
import { podDisruptionBudgets, type PodDisruptionBudget } from '#apis/policy/v1/pod-disruption-budget.ts';
import type { Informer } from '#client/informer-types.ts';
import { timestamp, withCondition } from '#controller/conditions.ts';
import type { ControllerContext } from '#controller/controller.ts';
import { isTerminating } from '#apis/core/v1/pod-state.ts';

/** A node that would take the pod if these went. */
export interface Candidate {
  readonly node: string;
  readonly victims: readonly Pod[];
  /** How many of them a disruption budget would keep. */
  readonly violations: number;
}

export function priorityOf({ spec }: Pod): number {
  return spec?.priority ?? 0;
}

/**
 * The fewest and least important pods of a node without which the pod fits there; undefined when none will do. Pods that a disruption budget
 * protects are spared before others.
 */
export function victimsOn(
  pod: Pod,
  node: string,
  placed: readonly Pod[],
  fits: (without: ReadonlySet<string>) => boolean,
  budgets: readonly PodDisruptionBudget[],
): Candidate | undefined {
  const lesser = placed.filter((one) => priorityOf(one) < priorityOf(pod)).toSorted(byImportance);
  const without = new Set(lesser.map(objectKey));
  if (lesser.length === 0 || !fits(without)) return undefined;
  const guarded = violating(lesser, budgets);
  let violations = 0;
  for (const one of [...lesser.filter((each) => guarded.has(each)), ...lesser.filter((each) => !guarded.has(each))]) {
    without.delete(objectKey(one));
    if (fits(without)) continue;
    without.add(objectKey(one));
    if (guarded.has(one)) violations += 1;
  }
  return { node, victims: lesser.filter((one) => without.has(objectKey(one))), violations };
}

/** The candidate that does the least harm, as kube-scheduler judges it. */
export function leastHarm(candidates: readonly Candidate[]): Candidate | undefined {
  const highest = ({ victims }: Candidate) => Math.max(...victims.map(priorityOf));
  // Every victim counts, also those of negative priority.
  const sum = ({ victims }: Candidate) => victims.reduce((total, one) => total + priorityOf(one) + 2 ** 31, 0);
  const startedMs = (candidate: Candidate) =>
    Math.min(...candidate.victims.filter((one) => priorityOf(one) === highest(candidate)).map(startMs));
  return candidates.toSorted(
    (a, b) =>
      a.violations - b.violations ||
      highest(a) - highest(b) ||
      sum(a) - sum(b) ||
      a.victims.length - b.victims.length ||
      startedMs(b) - startedMs(a),
  )[0];
}

/** Makes room for pods by ending less important ones. */
export class Preemption {
  readonly #context: ControllerContext;
  readonly #budgets: Informer<PodDisruptionBudget>;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#budgets = context.informers.of(podDisruptionBudgets);
  }

  /** Of every namespace, as victims may be. */
  budgets(): readonly PodDisruptionBudget[] {
    return this.#budgets.list();
  }

  /** Ends the victims; each is told why. */
  async carryOut(pod: Pod, { node, victims }: Candidate): Promise<void> {
    for (const victim of victims) if (!isTerminating(victim)) await this.#end(victim, pod, node);
  }

  async #end(victim: Pod, { metadata }: Pod, node: string): Promise<void> {
    const { namespace, name = '', uid = '', resourceVersion } = victim.metadata;
    const client = this.#context.client.of(pods);
    const reason = {
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'PreemptionByScheduler',
      message: 'default-scheduler: preempting to accommodate a higher priority pod',
    } as const;
    const conditions = withCondition(victim.status?.conditions, reason, timestamp(this.#context.clock));
    try {
      const body = { metadata: { resourceVersion }, status: { conditions } };
      await client.patch(namespace, name, { type: 'merge', body }, { subresource: 'status' });
      await client.delete(namespace, name, { preconditions: { uid } });
    } catch (error) {
      if (isReason(error, 'NotFound')) return;
      throw error;
    }
    this.#context.events.event(victim, 'Normal', 'Preempted', `Preempted by pod ${metadata.uid} on node ${node}`);
  }
}

/** Those whose end a budget does not allow, when the more important ones have ended before them. */
function violating(victims: readonly Pod[], budgets: readonly PodDisruptionBudget[]): ReadonlySet<Pod> {
  const left = new Map(budgets.map((budget) => [budget, budget.status?.disruptionsAllowed ?? 0]));
  const guarded = new Set<Pod>();
  for (const pod of victims) {
    for (const budget of budgets) {
      const { selector } = budget.spec ?? {};
      if (budget.metadata.namespace !== pod.metadata.namespace || selector === undefined || isEmptySelector(selector)) continue;
      if (!selectorMatches(selector, pod.metadata.labels)) continue;
      if (budget.status?.disruptedPods?.[pod.metadata.name ?? ''] !== undefined) continue;
      const allowed = (left.get(budget) ?? 0) - 1;
      left.set(budget, allowed);
      if (allowed < 0) guarded.add(pod);
    }
  }
  return guarded;
}

function byImportance(a: Pod, b: Pod): number {
  return priorityOf(b) - priorityOf(a) || startMs(a) - startMs(b);
}

function startMs({ metadata, status }: Pod): number {
  return Date.parse(status?.startTime ?? metadata.creationTimestamp ?? '') || 0;
}
