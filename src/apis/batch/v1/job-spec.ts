import { podTemplateSpecSchema } from '#apis/core/v1/pod-spec.ts';
import { labelSelectorSchema, objectMetaSchema } from '#apis/meta/object.ts';
import { boolean, enumeration, int32, int64, list, listSet, object, required, string, type Infer } from '#apis/schema.ts';

const batch = 'io.k8s.api.batch.v1';

export const podFailurePolicyOnExitCodesRequirementSchema = object(`${batch}.PodFailurePolicyOnExitCodesRequirement`, {
  containerName: [1, string()],
  operator: [2, required(enumeration(['In', 'NotIn']))],
  values: [3, required(listSet(int32()))],
});
export interface PodFailurePolicyOnExitCodesRequirement extends Infer<typeof podFailurePolicyOnExitCodesRequirementSchema> {}

export const podFailurePolicyOnPodConditionsPatternSchema = object(`${batch}.PodFailurePolicyOnPodConditionsPattern`, {
  type: [1, required(string())],
  status: [2, string()],
});
export interface PodFailurePolicyOnPodConditionsPattern extends Infer<typeof podFailurePolicyOnPodConditionsPatternSchema> {}

export const podFailurePolicyRuleSchema = object(`${batch}.PodFailurePolicyRule`, {
  action: [1, required(enumeration(['Count', 'FailIndex', 'FailJob', 'Ignore']))],
  onExitCodes: [2, podFailurePolicyOnExitCodesRequirementSchema],
  onPodConditions: [3, list(podFailurePolicyOnPodConditionsPatternSchema)],
});
export interface PodFailurePolicyRule extends Infer<typeof podFailurePolicyRuleSchema> {}

export const podFailurePolicySchema = object(`${batch}.PodFailurePolicy`, {
  rules: [1, required(list(podFailurePolicyRuleSchema))],
});
export interface PodFailurePolicy extends Infer<typeof podFailurePolicySchema> {}

export const successPolicyRuleSchema = object(`${batch}.SuccessPolicyRule`, {
  succeededIndexes: [1, string()],
  succeededCount: [2, int32()],
});
export interface SuccessPolicyRule extends Infer<typeof successPolicyRuleSchema> {}

export const successPolicySchema = object(`${batch}.SuccessPolicy`, {
  rules: [1, required(list(successPolicyRuleSchema))],
});
export interface SuccessPolicy extends Infer<typeof successPolicySchema> {}

export const jobSpecSchema = object(`${batch}.JobSpec`, {
  parallelism: [1, int32()],
  completions: [2, int32()],
  activeDeadlineSeconds: [3, int64()],
  selector: [4, labelSelectorSchema],
  manualSelector: [5, boolean({ default: false })],
  template: [6, required({ ...podTemplateSpecSchema, default: {} })],
  backoffLimit: [7, int32()],
  ttlSecondsAfterFinished: [8, int32()],
  completionMode: [9, enumeration(['Indexed', 'NonIndexed'], { default: 'NonIndexed' })],
  suspend: [10, boolean({ default: false })],
  podFailurePolicy: [11, podFailurePolicySchema],
  backoffLimitPerIndex: [12, int32()],
  maxFailedIndexes: [13, int32()],
  podReplacementPolicy: [14, enumeration(['Failed', 'TerminatingOrFailed'])],
  managedBy: [15, string()],
  successPolicy: [16, successPolicySchema],
});
export interface JobSpec extends Infer<typeof jobSpecSchema> {}

export const jobTemplateSpecSchema = object(`${batch}.JobTemplateSpec`, {
  metadata: [1, { ...objectMetaSchema, default: {} }],
  spec: [2, required({ ...jobSpecSchema, default: {} })],
});
export interface JobTemplateSpec extends Infer<typeof jobTemplateSpecSchema> {}
