import type { PersistentVolumeClaim } from '#apis/core/v1/persistent-volume-claim.ts';
import { isFinished } from '#apis/core/v1/pod-state.ts';
import type { Container, Pod, PodSpec } from '#apis/core/v1/pod.ts';
import { qosClassOf } from '#apis/core/v1/qos-class.ts';
import type { ResourceQuota, ResourceQuotaSpec } from '#apis/core/v1/resource-quota.ts';
import type { Service } from '#apis/core/v1/service.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import { amountsOf, podResources, type Amounts } from '#machinery/pod-resources.ts';
import { compareQuantities, formatQuantity, parseQuantity, subtractQuantities, type Quantity } from '#apis/meta/quantity.ts';

/** A kind as quotas name it. */
export interface CountedKind {
  readonly group: string;
  readonly plural: string;
}

const one = parseQuantity(1);
const zero = parseQuantity(0);
/** Kinds of the core group that a quota may also name without `count/`. */
const plainCounts = new Set(['configmaps', 'persistentvolumeclaims', 'replicationcontrollers', 'resourcequotas', 'secrets', 'services']);
/** A quota of these obliges every container to say its own; Kubernetes regrets it, and keeps it to these. */
const obliging = ['cpu', 'memory', 'requests.cpu', 'requests.memory', 'limits.cpu', 'limits.memory'];
/** Requests that a quota may also name without `requests.`. */
const plainRequests = new Set(['cpu', 'memory', 'ephemeral-storage']);
const storageClassSuffix = '.storageclass.storage.k8s.io/';

export const isPods = ({ group, plural }: CountedKind): boolean => group === '' && plural === 'pods';

/** `count/deployments.apps`, `count/pods`. */
export function countName({ group, plural }: CountedKind): string {
  return group === '' ? `count/${plural}` : `count/${plural}.${group}`;
}

/** Everything of an object that quotas can count, by the names they use for it. */
export function usageOf(kind: CountedKind, object: KubeObject, nowMs: number): Map<string, Quantity> {
  const usage = new Map([[countName(kind), one]]);
  if (kind.group !== '') return usage;
  if (plainCounts.has(kind.plural)) usage.set(kind.plural, one);
  if (kind.plural === 'pods') addPod(usage, object as Pod, nowMs);
  if (kind.plural === 'services') addService(usage, object as Service);
  if (kind.plural === 'persistentvolumeclaims') addClaim(usage, object as PersistentVolumeClaim);
  return usage;
}

/** Pods that have ended, or should have by now, use nothing but their place among the objects. */
function addPod(usage: Map<string, Quantity>, pod: Pod, nowMs: number): void {
  if (isFinished(pod)) return;
  const { spec, metadata } = pod;
  const { deletionTimestamp, deletionGracePeriodSeconds } = metadata;
  // The timestamp has the grace period in it already; Kubernetes waits for it once more.
  if (deletionTimestamp !== undefined && nowMs > Date.parse(deletionTimestamp) + (deletionGracePeriodSeconds ?? 0) * 1000) return;
  usage.set('pods', one);
  addResources(usage, podResources(spec, 'requests'), podResources(spec, 'limits'));
}

function addResources(usage: Map<string, Quantity>, requests: Amounts, limits: Amounts): void {
  for (const [name, amount] of requests) {
    usage.set(`requests.${name}`, amount);
    if (plainRequests.has(name) || name.startsWith('hugepages-')) usage.set(name, amount);
  }
  for (const [name, amount] of limits) if (plainRequests.has(name)) usage.set(`limits.${name}`, amount);
}

function addService(usage: Map<string, Quantity>, { spec }: Service): void {
  const { type, ports = [], allocateLoadBalancerNodePorts = true } = spec;
  if (type === 'LoadBalancer') usage.set('services.loadbalancers', one);
  const given = ports.filter(({ nodePort = 0 }) => nodePort !== 0).length;
  const count = type === 'NodePort' || (type === 'LoadBalancer' && allocateLoadBalancerNodePorts) ? ports.length : given;
  if (type === 'NodePort' || type === 'LoadBalancer') usage.set('services.nodeports', parseQuantity(count));
}

function addClaim(usage: Map<string, Quantity>, { spec }: PersistentVolumeClaim): void {
  const storage = spec?.resources?.requests?.['storage'];
  const className = spec?.storageClassName ?? '';
  if (storage !== undefined) usage.set('requests.storage', parseQuantity(storage));
  if (className === '') return;
  usage.set(`${className}${storageClassSuffix}persistentvolumeclaims`, one);
  if (storage !== undefined) usage.set(`${className}${storageClassSuffix}requests.storage`, parseQuantity(storage));
}

/** Whether a quota of these scopes is about the object. Only pods have scopes. */
export function inScope({ scopes = [], scopeSelector }: ResourceQuotaSpec, kind: CountedKind, object: KubeObject): boolean {
  const expressions = [
    ...scopes.map((scopeName) => ({ scopeName, operator: 'Exists', values: [] as readonly string[] })),
    ...(scopeSelector?.matchExpressions ?? []),
  ];
  if (expressions.length === 0) return true;
  if (!isPods(kind)) return false;
  const { spec } = object as Pod;
  return expressions.every(({ scopeName, operator, values = [] }) =>
    scopeName === 'PriorityClass' ? matchesPriority(spec, operator, values) : (podScopes[scopeName]?.(spec) ?? false),
  );
}

const podScopes: Readonly<Record<string, (spec: PodSpec) => boolean>> = {
  Terminating: (spec) => spec.activeDeadlineSeconds !== undefined,
  NotTerminating: (spec) => spec.activeDeadlineSeconds === undefined,
  BestEffort: (spec) => qosClassOf(spec) === 'BestEffort',
  NotBestEffort: (spec) => qosClassOf(spec) !== 'BestEffort',
  CrossNamespacePodAffinity: ({ affinity }) =>
    [affinity?.podAffinity, affinity?.podAntiAffinity].some((rules) =>
      [
        ...(rules?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
        ...(rules?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(({ podAffinityTerm }) => podAffinityTerm),
      ].some((term) => (term?.namespaces?.length ?? 0) > 0 || term?.namespaceSelector !== undefined),
    ),
};

function matchesPriority({ priorityClassName = '' }: PodSpec, operator: string, values: readonly string[]): boolean {
  switch (operator) {
    case 'In':
      return values.includes(priorityClassName);
    case 'NotIn':
      return !values.includes(priorityClassName);
    case 'DoesNotExist':
      return priorityClassName === '';
    default:
      return priorityClassName !== '';
  }
}

/** `must specify limits.cpu for: a,b; …` when containers do not say what a quota limits; undefined when they do. */
export function unspecified(hard: Amounts, { containers, initContainers = [] }: PodSpec): string | undefined {
  const required = obliging.filter((name) => hard.has(name)).sort();
  const missing = required.flatMap((name) => {
    const without = [...containers, ...initContainers].filter((container) => !containerUsage(container).has(name));
    const names = [...new Set(without.map((container) => container.name))].sort();
    return names.length === 0 ? [] : [`${name} for: ${names.join(',')}`];
  });
  return missing.length === 0 ? undefined : `must specify ${missing.join('; ')}`;
}

function containerUsage({ resources }: Container): Amounts {
  const usage = new Map<string, Quantity>();
  addResources(usage, amountsOf(resources?.requests), amountsOf(resources?.limits));
  return usage;
}

/** What has come to be used on the way from `before` to `after`, without what has become less. */
export function increase(before: Amounts, after: Amounts): Map<string, Quantity> {
  const more = new Map<string, Quantity>();
  for (const [name, amount] of after) {
    const grown = subtractQuantities(amount, before.get(name) ?? zero);
    if (grown.nanos > 0n) more.set(name, grown);
  }
  return more;
}

/** The part of `amounts` that a quota limits. */
export function limitedBy(hard: Amounts, amounts: Amounts): Map<string, Quantity> {
  return new Map([...amounts].filter(([name]) => hard.has(name)));
}

/** `exceeded quota: …` when `requested` does not fit beside what is used; undefined when it does. */
export function exceeded({ metadata, status }: ResourceQuota, requested: Amounts): string | undefined {
  const hard = amountsOf(status?.hard);
  const used = amountsOf(status?.used);
  const over = [...requested.keys()].sort().filter((name) => {
    const limit = hard.get(name);
    const wanted = requested.get(name) ?? zero;
    return limit !== undefined && compareQuantities({ ...wanted, nanos: wanted.nanos + (used.get(name)?.nanos ?? 0n) }, limit) > 0;
  });
  if (over.length === 0) return undefined;
  const shown = (amounts: Amounts) => over.map((name) => `${name}=${formatQuantity(amounts.get(name) ?? zero)}`).join(',');
  return `exceeded quota: ${metadata.name}, requested: ${shown(requested)}, used: ${shown(used)}, limited: ${shown(hard)}`;
}

/** A ResourceList of amounts. */
export function listOf(amounts: Amounts): Record<string, string> {
  return Object.fromEntries([...amounts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, amount]) => [name, formatQuantity(amount)]));
}
