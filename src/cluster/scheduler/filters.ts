import type { Node } from '#apis/core/v1/node.ts';
import type { Affinity, NodeSelectorTerm, Pod, Toleration } from '#apis/core/v1/pod.ts';

/** Why a node will not do, in kube-scheduler's words; undefined when it will. */
export type Filter = (pod: Pod, node: Node) => string | undefined;

const unschedulableTaint = 'node.kubernetes.io/unschedulable';

export const filters: readonly Filter[] = [nodeName, unschedulable, taints, nodeSelector];

function nodeName(pod: Pod, node: Node): string | undefined {
  const wanted = pod.spec?.nodeName ?? '';
  return wanted === '' || wanted === node.metadata.name ? undefined : "node(s) didn't match the requested node name";
}

function unschedulable(pod: Pod, node: Node): string | undefined {
  if (node.spec?.unschedulable !== true) return undefined;
  const taint = { key: unschedulableTaint, effect: 'NoSchedule' };
  return (pod.spec?.tolerations ?? []).some((toleration) => tolerates(toleration, taint)) ? undefined : 'node(s) were unschedulable';
}

function taints(pod: Pod, node: Node): string | undefined {
  const bad = (node.spec?.taints ?? []).find(
    (taint) =>
      (taint.effect === 'NoSchedule' || taint.effect === 'NoExecute') &&
      !(pod.spec?.tolerations ?? []).some((one) => tolerates(one, taint)),
  );
  if (bad === undefined) return undefined;
  return `node(s) had untolerated taint {${bad.key}: ${bad.value ?? ''}}`;
}

/** KEP: an empty key with Exists tolerates everything, an empty effect every effect. */
export function tolerates(toleration: Toleration, taint: { key: string; value?: string; effect: string }): boolean {
  if ((toleration.effect ?? '') !== '' && toleration.effect !== taint.effect) return false;
  const operator = toleration.operator ?? 'Equal';
  if ((toleration.key ?? '') === '') return operator === 'Exists';
  if (toleration.key !== taint.key) return false;
  return operator === 'Exists' || (toleration.value ?? '') === (taint.value ?? '');
}

function nodeSelector(pod: Pod, node: Node): string | undefined {
  return matchesNodeSelector(pod, node) ? undefined : "node(s) didn't match Pod's node affinity/selector";
}

/** Whether the pod's node selector and required node affinity let it run on the node. */
export function matchesNodeSelector(pod: Pod, node: Node): boolean {
  const nodeLabels = node.metadata.labels ?? {};
  const plain = Object.entries(pod.spec?.nodeSelector ?? {}).every(([key, value]) => nodeLabels[key] === value);
  const terms = pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  const affine = terms === undefined || terms.some((term) => matchesTerm(term, node));
  return plain && affine;
}

type Requirement = NonNullable<NodeSelectorTerm['matchExpressions']>[number];

/** All requirements of a term hold; an empty term matches nothing. */
export function matchesTerm(term: NodeSelectorTerm, node: Node): boolean {
  const expressions = term.matchExpressions ?? [];
  const fields = term.matchFields ?? [];
  if (expressions.length + fields.length === 0) return false;
  const nodeLabels = node.metadata.labels ?? {};
  return (
    expressions.every((one) => matches(one, nodeLabels[one.key])) &&
    fields.every((one) => matches(one, one.key === 'metadata.name' ? node.metadata.name : undefined))
  );
}

function matches({ operator, values = [] }: Requirement, value: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
      return value !== undefined && Number(value) > Number(values[0]);
    case 'Lt':
      return value !== undefined && Number(value) < Number(values[0]);
    default:
      return false;
  }
}

/** Sum of the weights of preferred node terms that hold. */
export function preference(affinity: Affinity | undefined, node: Node): number {
  const preferred = affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  return preferred.reduce((sum, { weight, preference: term }) => sum + (matchesTerm(term, node) ? weight : 0), 0);
}
