import type { Node } from '#apis/core/v1/node.ts';
import type { Pod, PodAffinityTerm, TopologySpreadConstraint } from '#apis/core/v1/pod.ts';
import { fromLabelSelector, matchesLabels, selectorMatches } from '#apis/meta/label-selector.ts';
import type { LabelSelector } from '#apis/meta/object.ts';
import { isFinished, isTerminating } from '#apis/core/v1/pod-state.ts';
import { matchesNodeSelector } from '#cluster/scheduler/filters.ts';
import type { NodeRefusal } from '#cluster/scheduler/refusal.ts';

/** A pod and the node it is on. */
export interface PlacedPod {
  readonly pod: Pod;
  readonly node: string;
}

/** What a decision looks at besides one pod and one node. */
export interface Surroundings {
  readonly nodes: readonly Node[];
  readonly placed: readonly PlacedPod[];
  /** Labels of a namespace, for namespaceSelector. */
  namespaceLabels(name: string): Readonly<Record<string, string>> | undefined;
}

type Topology = (node: string) => string | undefined;

/** Whether a pod's place depends on where other pods are. */
export function dependsOnPods({ spec }: Pod): boolean {
  const { podAffinity, podAntiAffinity } = spec?.affinity ?? {};
  return podAffinity !== undefined || podAntiAffinity !== undefined || (spec?.topologySpreadConstraints ?? []).length > 0;
}

/** Whether other pods' places depend on this one's. */
export function keepsOthersAway({ spec }: Pod): boolean {
  return (spec?.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).length > 0;
}

/**
 * Judges nodes for one pod by the pods that are there already: required (anti-)affinity in both directions and spread, in kube-scheduler's
 * words, and preferences as points. Everything about the pod is worked out once, not again for each node.
 */
export class BetweenPods {
  readonly #surroundings: Surroundings;
  readonly #nodes: ReadonlyMap<string, Node>;
  readonly #rules: ((node: Node) => NodeRefusal | undefined)[] = [];
  readonly #points: ((node: Node) => number)[] = [];

  constructor(pod: Pod, surroundings: Surroundings) {
    this.#surroundings = surroundings;
    this.#nodes = new Map(surroundings.nodes.map((node) => [node.metadata.name ?? '', node]));
    const { podAffinity, podAntiAffinity } = pod.spec?.affinity ?? {};
    for (const term of podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []) this.#attract(pod, term);
    for (const term of podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []) {
      this.#repel(this.#domainsWith(pod, term), term.topologyKey, "node(s) didn't match pod anti-affinity rules");
    }
    this.#respectOthers(pod);
    for (const { weight, podAffinityTerm: term } of podAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [])
      this.#prefer(pod, term, weight);
    for (const { weight, podAffinityTerm: term } of podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [])
      this.#prefer(pod, term, -weight);
    for (const constraint of pod.spec?.topologySpreadConstraints ?? []) this.#spread(pod, constraint);
  }

  /** Why the node will not do; undefined when it will. */
  refusal(node: Node): NodeRefusal | undefined {
    for (const rule of this.#rules) {
      const refusal = rule(node);
      if (refusal !== undefined) return refusal;
    }
    return undefined;
  }

  points(node: Node): number {
    return this.#points.reduce((sum, count) => sum + count(node), 0);
  }

  /** Near pods that match. The first of a group that wants to be together may go anywhere. */
  #attract(pod: Pod, term: PodAffinityTerm): void {
    const domains = this.#domainsWith(pod, term);
    const isFirst = domains.size === 0 && this.#matches(pod, term, pod);
    this.#rules.push((node) => {
      const domain = domainOf(node, term.topologyKey);
      return domain !== undefined && (domains.has(domain) || isFirst) ? undefined : alone("node(s) didn't match pod affinity rules");
    });
  }

  #repel(domains: ReadonlyMap<string, number>, key: string, text: string): void {
    if (domains.size > 0) this.#rules.push((node) => (domains.has(domainOf(node, key) ?? '') ? crowded(text) : undefined));
  }

  /** Pods that are there already may want no such pod near them. */
  #respectOthers(pod: Pod): void {
    for (const { pod: other, node } of this.#surroundings.placed) {
      for (const term of other.spec?.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []) {
        const domain = this.#topology(term.topologyKey)(node);
        if (domain === undefined || !this.#matches(other, term, pod)) continue;
        this.#repel(new Map([[domain, 1]]), term.topologyKey, "node(s) didn't satisfy existing pods anti-affinity rules");
      }
    }
  }

  #prefer(pod: Pod, term: PodAffinityTerm, weight: number): void {
    const domains = this.#domainsWith(pod, term);
    this.#points.push((node) => weight * (domains.get(domainOf(node, term.topologyKey) ?? '') ?? 0));
  }

  #spread(pod: Pod, constraint: TopologySpreadConstraint): void {
    const { topologyKey, maxSkew, whenUnsatisfiable, minDomains = 1 } = constraint;
    const selector = fromLabelSelector(withKeys(constraint.labelSelector, constraint.matchLabelKeys ?? [], 'In', pod));
    const isCounted = (node: Node) =>
      domainOf(node, topologyKey) !== undefined && (constraint.nodeAffinityPolicy === 'Ignore' || matchesNodeSelector(pod, node));
    const counts = new Map<string, number>();
    for (const node of this.#nodes.values()) if (isCounted(node)) counts.set(domainOf(node, topologyKey) ?? '', 0);
    for (const { pod: other, node } of this.#surroundings.placed) {
      const domain = this.#topology(topologyKey)(node);
      const count = domain === undefined ? undefined : counts.get(domain);
      if (domain === undefined || count === undefined || isTerminating(other) || other.metadata.namespace !== pod.metadata.namespace)
        continue;
      if (matchesLabels(selector, other.metadata.labels)) counts.set(domain, count + 1);
    }
    if (whenUnsatisfiable === 'ScheduleAnyway') {
      this.#points.push((node) => -(counts.get(domainOf(node, topologyKey) ?? '') ?? 0));
      return;
    }
    const own = matchesLabels(selector, pod.metadata.labels) ? 1 : 0;
    const least = counts.size < minDomains ? 0 : Math.min(...counts.values());
    this.#rules.push((node) => {
      const domain = domainOf(node, topologyKey);
      if (domain === undefined) return alone("node(s) didn't match pod topology spread constraints (missing required label)");
      const skew = (counts.get(domain) ?? 0) + own - least;
      return skew > maxSkew ? crowded("node(s) didn't match pod topology spread constraints") : undefined;
    });
  }

  /** Domains of the term's topology in which there are pods that match it, and how many. */
  #domainsWith(pod: Pod, term: PodAffinityTerm): Map<string, number> {
    const domains = new Map<string, number>();
    for (const { pod: other, node } of this.#surroundings.placed) {
      const domain = this.#topology(term.topologyKey)(node);
      if (domain !== undefined && this.#matches(pod, term, other)) domains.set(domain, (domains.get(domain) ?? 0) + 1);
    }
    return domains;
  }

  #topology(key: string): Topology {
    return (name) => {
      const node = this.#nodes.get(name);
      return node === undefined ? undefined : domainOf(node, key);
    };
  }

  /** Whether `other` is one of those that `owner`'s term speaks of. */
  #matches(owner: Pod, term: PodAffinityTerm, other: Pod): boolean {
    if (isFinished(other)) return false;
    const namespace = other.metadata.namespace ?? '';
    const listed = term.namespaces ?? [];
    const near =
      listed.length === 0 && term.namespaceSelector === undefined ? namespace === owner.metadata.namespace : listed.includes(namespace);
    const bySelector =
      term.namespaceSelector !== undefined && selectorMatches(term.namespaceSelector, this.#surroundings.namespaceLabels(namespace));
    if (!near && !bySelector) return false;
    const same = withKeys(term.labelSelector, term.matchLabelKeys ?? [], 'In', owner);
    return selectorMatches(withKeys(same, term.mismatchLabelKeys ?? [], 'NotIn', owner), other.metadata.labels);
  }
}

const crowded = (problem: string): NodeRefusal => ({ problems: [problem], isCrowded: true });
const alone = (problem: string): NodeRefusal => ({ problems: [problem], isCrowded: false });

function domainOf(node: Node, key: string): string | undefined {
  return node.metadata.labels?.[key];
}

/** The selector, and the pod's own values of these labels: rollouts compare only pods of the same revision. */
function withKeys(
  selector: LabelSelector | undefined,
  keys: readonly string[],
  operator: 'In' | 'NotIn',
  { metadata }: Pod,
): LabelSelector | undefined {
  if (selector === undefined) return undefined;
  const values = keys.flatMap((key) => {
    const value = metadata.labels?.[key];
    return value === undefined ? [] : [{ key, operator, values: [value] }];
  });
  return values.length === 0 ? selector : { ...selector, matchExpressions: [...(selector.matchExpressions ?? []), ...values] };
}
