import { podColumns } from '#apis/core/v1/pod-columns.ts';
import { setPodDefaults, setPodSpecDefaults } from '#apis/core/v1/pod-defaults.ts';
import { type PodSpec, podSpecSchema } from '#apis/core/v1/pod-spec.ts';
import { podStatusSchema } from '#apis/core/v1/pod-status.ts';
import { qosClassOf } from '#apis/core/v1/qos-class.ts';
import { validatePodSpec } from '#apis/core/v1/validate-pod-spec.ts';
import { ephemeralUpdateErrors, validatePodUpdate } from '#apis/core/v1/validate-pod-update.ts';
import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { fieldForbidden, type FieldError } from '#apis/meta/field-error.ts';
import type { Infer } from '#apis/schema.ts';

const core = 'io.k8s.api.core.v1';

export const podSchema = kindSchema(`${core}.Pod`, {
  spec: [2, podSpecSchema],
  status: [3, podStatusSchema],
});
export interface Pod extends Infer<typeof podSchema> {}

const evictionTaints = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'];

/** What kube-apiserver's own admission and creation strategy add to a new pod, as far as it takes no other object to know. */
function setCreationDefaults(pod: Pod): void {
  const { spec } = pod;
  spec.serviceAccountName ??= 'default';
  spec.serviceAccount ??= spec.serviceAccountName;
  if (spec.priorityClassName === undefined) {
    spec.priority ??= 0;
    spec.preemptionPolicy ??= 'PreemptLowerPriority';
  }
  for (const key of evictionTaints) {
    const tolerated = spec.tolerations?.some(
      (one) => (one.key ?? '') === '' || (one.key === key && (one.effect ?? 'NoExecute') === 'NoExecute'),
    );
    if (tolerated === true) continue;
    spec.tolerations = [...(spec.tolerations ?? []), { key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 }];
  }
  pod.status = { phase: 'Pending', qosClass: qosClassOf(spec) };
}

function creationErrors(spec: PodSpec): readonly FieldError[] {
  const errors: FieldError[] = [];
  if ((spec.ephemeralContainers ?? []).length > 0) errors.push(fieldForbidden('spec.ephemeralContainers', 'cannot be set on create'));
  if ((spec.nodeName ?? '') !== '' && (spec.schedulingGates ?? []).length > 0) {
    errors.push(fieldForbidden('spec.nodeName', 'cannot be set until all schedulingGates have been cleared'));
  }
  return errors;
}

export const podDefinition = defineBuiltin<Pod>({
  group: '',
  kind: 'Pod',
  plural: 'pods',
  shortNames: ['po'],
  categories: ['all'],
  versions: [{ name: 'v1', schema: podSchema, served: true, columns: podColumns }],
  selectableFields: ({ spec, status }) => ({
    'spec.nodeName': spec.nodeName ?? '',
    'spec.restartPolicy': spec.restartPolicy ?? '',
    'spec.schedulerName': spec.schedulerName ?? '',
    'spec.serviceAccountName': spec.serviceAccountName ?? '',
    'spec.hostNetwork': String(spec.hostNetwork ?? false),
    'status.phase': status?.phase ?? '',
    'status.podIP': status?.podIP ?? '',
    'status.podIPs': status?.podIPs?.[0]?.ip ?? status?.podIP ?? '',
    'status.nominatedNodeName': status?.nominatedNodeName ?? '',
  }),
  default(pod, { operation }) {
    setPodDefaults(pod.spec);
    setPodSpecDefaults(pod.spec);
    if (operation === 'create') setCreationDefaults(pod);
  },
  validate: (pod, { operation, old, subresource }) => [
    ...validatePodSpec(pod.spec, 'spec'),
    ...(operation === 'create' ? creationErrors(pod.spec) : []),
    ...(old !== undefined && subresource === '' ? validatePodUpdate(pod.spec, old.spec) : []),
    ...(old !== undefined && subresource === 'ephemeralcontainers' ? ephemeralUpdateErrors(pod, old.spec) : []),
  ],
});
export const pods = resourceOf(podDefinition);

export type {
  Container,
  ContainerPort,
  EphemeralContainer,
  ResourceRequirements,
  VolumeDevice,
  VolumeMount,
} from '#apis/core/v1/container.ts';
export type { EnvFromSource, EnvVar, EnvVarSource } from '#apis/core/v1/environment.ts';
export type { PodSpec, PodTemplateSpec } from '#apis/core/v1/pod-spec.ts';
export type {
  ContainerState,
  ContainerStateRunning,
  ContainerStateTerminated,
  ContainerStateWaiting,
  ContainerStatus,
  PodCondition,
  PodIP,
  PodStatus,
} from '#apis/core/v1/pod-status.ts';
export type { ExecAction, GRPCAction, HTTPGetAction, Lifecycle, LifecycleHandler, Probe, TCPSocketAction } from '#apis/core/v1/probe.ts';
export type {
  Affinity,
  NodeAffinity,
  NodeSelectorTerm,
  PodAffinityTerm,
  Toleration,
  TopologySpreadConstraint,
} from '#apis/core/v1/scheduling.ts';
export type { PodSecurityContext, SecurityContext } from '#apis/core/v1/security-context.ts';
export type { Volume } from '#apis/core/v1/volume.ts';
