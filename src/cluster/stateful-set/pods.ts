import type { PersistentVolumeClaim } from '#apis/core/v1/persistent-volume-claim.ts';
import type { Pod, PodTemplateSpec } from '#apis/core/v1/pod.ts';
import { statefulSets, type StatefulSet } from '#apis/apps/v1/stateful-set.ts';
import { podFromTemplate } from '#cluster/owned-pods.ts';
import { revisionLabel } from '#cluster/revision-history.ts';

export function podName({ metadata }: StatefulSet, ordinal: number): string {
  return `${metadata.name}-${ordinal}`;
}

/** The ordinal in a pod's name; undefined when it is no name that the set gives. */
export function ordinalOf({ metadata }: StatefulSet, pod: Pod): number | undefined {
  const [, parent, ordinal] = /^(.*)-(\d+)$/.exec(pod.metadata.name ?? '') ?? [];
  return parent === metadata.name && ordinal !== undefined ? Number(ordinal) : undefined;
}

/** The pod of an ordinal, with its lasting name and claims. */
export function podOf(set: StatefulSet, template: PodTemplateSpec, ordinal: number, revision: string): Pod {
  const { metadata, spec } = podFromTemplate(set, statefulSets, template);
  const name = podName(set, ordinal);
  const claims = set.spec.volumeClaimTemplates ?? [];
  const claimed = claims.map((claim) => ({
    name: claim.metadata.name ?? '',
    persistentVolumeClaim: { claimName: claimName(set, claim, ordinal), readOnly: false },
  }));
  const others = (spec.volumes ?? []).filter((volume) => !claimed.some((one) => one.name === volume.name));
  const volumes = [...claimed, ...others];
  return {
    metadata: {
      ...metadata,
      name,
      labels: {
        ...metadata.labels,
        [revisionLabel]: revision,
        'statefulset.kubernetes.io/pod-name': name,
        'apps.kubernetes.io/pod-index': String(ordinal),
      },
    },
    spec: {
      ...spec,
      hostname: name,
      ...((set.spec.serviceName ?? '') === '' ? {} : { subdomain: set.spec.serviceName }),
      ...(volumes.length === 0 ? {} : { volumes }),
    },
  } as Pod;
}

/** What the pod of an ordinal keeps its data in; it outlives the pod. */
export function claimsOf(set: StatefulSet, ordinal: number): PersistentVolumeClaim[] {
  return (set.spec.volumeClaimTemplates ?? []).map(
    (claim) =>
      ({
        metadata: {
          name: claimName(set, claim, ordinal),
          namespace: set.metadata.namespace,
          labels: { ...claim.metadata.labels, ...set.spec.selector.matchLabels },
          ...(claim.metadata.annotations === undefined ? {} : { annotations: claim.metadata.annotations }),
        },
        spec: claim.spec,
      }) as PersistentVolumeClaim,
  );
}

function claimName(set: StatefulSet, claim: PersistentVolumeClaim, ordinal: number): string {
  return `${claim.metadata.name}-${podName(set, ordinal)}`;
}
