import { daemonSets, type DaemonSet } from '#apis/apps/v1/daemon-set.ts';
import type { Node } from '#apis/core/v1/node.ts';
import type { Affinity, Pod, Toleration } from '#apis/core/v1/pod.ts';
import { podFromTemplate } from '#cluster/owned-pods.ts';
import { revisionLabel } from '#cluster/revision-history.ts';
import { matchesNodeSelector, tolerates } from '#cluster/scheduler/filters.ts';

const toleration = (name: string, effect: 'NoExecute' | 'NoSchedule'): Toleration => ({
  key: `node.kubernetes.io/${name}`,
  operator: 'Exists',
  effect,
});
/** A daemon stays on a node in trouble: it may be what looks after it. */
const daemonTolerations = [
  toleration('not-ready', 'NoExecute'),
  toleration('unreachable', 'NoExecute'),
  toleration('disk-pressure', 'NoSchedule'),
  toleration('memory-pressure', 'NoSchedule'),
  toleration('pid-pressure', 'NoSchedule'),
  toleration('unschedulable', 'NoSchedule'),
];

/** The pod of a node: the scheduler puts it there and nowhere else. */
export function podFor(set: DaemonSet, node: string, revision: string): Pod {
  const { metadata, spec } = podFromTemplate(set, daemonSets, set.spec.template);
  const own = spec.tolerations ?? [];
  const network = spec.hostNetwork === true ? [toleration('network-unavailable', 'NoSchedule')] : [];
  const added = [...daemonTolerations, ...network].filter(
    (one) => !own.some(({ key, effect }) => key === one.key && effect === one.effect),
  );
  return {
    metadata: { ...metadata, labels: { ...metadata.labels, [revisionLabel]: revision } },
    spec: { ...spec, tolerations: [...own, ...added], affinity: onNode(spec.affinity, node) },
  };
}

function onNode(affinity: Affinity | undefined, node: string): Affinity {
  const nodeSelectorTerms = [{ matchFields: [{ key: 'metadata.name', operator: 'In' as const, values: [node] }] }];
  const nodeAffinity = { ...affinity?.nodeAffinity, requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } };
  return { ...affinity, nodeAffinity };
}

/** The node a pod of a daemon is on, or is meant for. */
export function nodeOf({ spec }: Pod): string {
  if ((spec.nodeName ?? '') !== '') return spec.nodeName ?? '';
  const terms = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  return terms[0]?.matchFields?.[0]?.values?.[0] ?? '';
}

/** Whether a daemon belongs on a node, and whether one that is there may stay. */
export function fitOf(set: DaemonSet, node: Node): { readonly run: boolean; readonly stay: boolean } {
  const wanted = { spec: set.spec.template.spec } as Pod;
  const { tolerations = [] } = podFor(set, node.metadata.name ?? '', '').spec;
  if (!matchesNodeSelector(wanted, node)) return { run: false, stay: false };
  const bad = (node.spec?.taints ?? []).filter(
    (taint) => taint.effect !== 'PreferNoSchedule' && !tolerations.some((one) => tolerates(one, taint)),
  );
  return { run: bad.length === 0, stay: !bad.some(({ effect }) => effect === 'NoExecute') };
}
