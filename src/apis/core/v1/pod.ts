import { podColumns } from '#apis/core/v1/pod-columns.ts';
import { podSpecSchema } from '#apis/core/v1/pod-spec.ts';
import { podStatusSchema } from '#apis/core/v1/pod-status.ts';
import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import type { Infer } from '#apis/schema.ts';

const core = 'io.k8s.api.core.v1';

export const podSchema = kindSchema(`${core}.Pod`, {
  spec: [2, podSpecSchema],
  status: [3, podStatusSchema],
});
export interface Pod extends Infer<typeof podSchema> {}

export const podDefinition = defineBuiltin<Pod>({
  group: '',
  kind: 'Pod',
  plural: 'pods',
  shortNames: ['po'],
  categories: ['all'],
  versions: [{ name: 'v1', schema: podSchema, served: true, columns: podColumns }],
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
export type { Affinity, NodeAffinity, NodeSelectorTerm, Toleration, TopologySpreadConstraint } from '#apis/core/v1/scheduling.ts';
export type { PodSecurityContext, SecurityContext } from '#apis/core/v1/security-context.ts';
export type { Volume } from '#apis/core/v1/volume.ts';
