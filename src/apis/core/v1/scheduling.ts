import { labelSelectorSchema } from '#apis/meta/object.ts';
import { enumeration, int32, int64, list, object, required, string, type Infer } from '#apis/schema.ts';

const core = 'io.k8s.api.core.v1';

export const nodeSelectorRequirementSchema = object(`${core}.NodeSelectorRequirement`, {
  key: [1, required(string())],
  operator: [2, required(enumeration(['DoesNotExist', 'Exists', 'Gt', 'In', 'Lt', 'NotIn']))],
  values: [3, list(string())],
});
export interface NodeSelectorRequirement extends Infer<typeof nodeSelectorRequirementSchema> {}

export const nodeSelectorTermSchema = object(
  `${core}.NodeSelectorTerm`,
  {
    matchExpressions: [1, list(nodeSelectorRequirementSchema)],
    matchFields: [2, list(nodeSelectorRequirementSchema)],
  },
  { 'x-kubernetes-map-type': 'atomic' },
);
export interface NodeSelectorTerm extends Infer<typeof nodeSelectorTermSchema> {}

export const nodeSelectorSchema = object(
  `${core}.NodeSelector`,
  {
    nodeSelectorTerms: [1, required(list(nodeSelectorTermSchema))],
  },
  { 'x-kubernetes-map-type': 'atomic' },
);
export interface NodeSelector extends Infer<typeof nodeSelectorSchema> {}

export const preferredSchedulingTermSchema = object(`${core}.PreferredSchedulingTerm`, {
  weight: [1, required(int32())],
  preference: [2, required(nodeSelectorTermSchema)],
});
export interface PreferredSchedulingTerm extends Infer<typeof preferredSchedulingTermSchema> {}

export const nodeAffinitySchema = object(`${core}.NodeAffinity`, {
  requiredDuringSchedulingIgnoredDuringExecution: [1, nodeSelectorSchema],
  preferredDuringSchedulingIgnoredDuringExecution: [2, list(preferredSchedulingTermSchema)],
});
export interface NodeAffinity extends Infer<typeof nodeAffinitySchema> {}

export const podAffinityTermSchema = object(`${core}.PodAffinityTerm`, {
  labelSelector: [1, labelSelectorSchema],
  namespaces: [2, list(string())],
  topologyKey: [3, required(string())],
  namespaceSelector: [4, labelSelectorSchema],
  matchLabelKeys: [5, list(string())],
  mismatchLabelKeys: [6, list(string())],
});
export interface PodAffinityTerm extends Infer<typeof podAffinityTermSchema> {}

export const weightedPodAffinityTermSchema = object(`${core}.WeightedPodAffinityTerm`, {
  weight: [1, required(int32())],
  podAffinityTerm: [2, required(podAffinityTermSchema)],
});
export interface WeightedPodAffinityTerm extends Infer<typeof weightedPodAffinityTermSchema> {}

export const podAffinitySchema = object(`${core}.PodAffinity`, {
  requiredDuringSchedulingIgnoredDuringExecution: [1, list(podAffinityTermSchema)],
  preferredDuringSchedulingIgnoredDuringExecution: [2, list(weightedPodAffinityTermSchema)],
});
export interface PodAffinity extends Infer<typeof podAffinitySchema> {}

export const podAntiAffinitySchema = object(`${core}.PodAntiAffinity`, {
  requiredDuringSchedulingIgnoredDuringExecution: [1, list(podAffinityTermSchema)],
  preferredDuringSchedulingIgnoredDuringExecution: [2, list(weightedPodAffinityTermSchema)],
});
export interface PodAntiAffinity extends Infer<typeof podAntiAffinitySchema> {}

export const affinitySchema = object(`${core}.Affinity`, {
  nodeAffinity: [1, nodeAffinitySchema],
  podAffinity: [2, podAffinitySchema],
  podAntiAffinity: [3, podAntiAffinitySchema],
});
export interface Affinity extends Infer<typeof affinitySchema> {}

export const tolerationSchema = object(`${core}.Toleration`, {
  key: [1, string()],
  operator: [2, string()],
  value: [3, string()],
  effect: [4, string()],
  tolerationSeconds: [5, int64()],
});
export interface Toleration extends Infer<typeof tolerationSchema> {}

export const topologySpreadConstraintSchema = object(`${core}.TopologySpreadConstraint`, {
  maxSkew: [1, required(int32())],
  topologyKey: [2, required(string())],
  whenUnsatisfiable: [3, required(enumeration(['DoNotSchedule', 'ScheduleAnyway']))],
  labelSelector: [4, labelSelectorSchema],
  minDomains: [5, int32()],
  nodeAffinityPolicy: [6, enumeration(['Honor', 'Ignore'])],
  nodeTaintsPolicy: [7, enumeration(['Honor', 'Ignore'])],
  matchLabelKeys: [8, list(string())],
});
export interface TopologySpreadConstraint extends Infer<typeof topologySpreadConstraintSchema> {}
