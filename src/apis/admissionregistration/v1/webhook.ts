import { labelSelectorSchema } from '#apis/meta/object.ts';
import { bytes, enumeration, int32, list, listMap, object, required, string, type Infer } from '#apis/schema.ts';

const admissionregistration = 'io.k8s.api.admissionregistration.v1';

export const serviceReferenceSchema = object(`${admissionregistration}.ServiceReference`, {
  name: required(string()),
  namespace: required(string()),
  path: string(),
  port: int32({ default: 443 }),
});
export interface ServiceReference extends Infer<typeof serviceReferenceSchema> {}

export const webhookClientConfigSchema = object(`${admissionregistration}.WebhookClientConfig`, {
  caBundle: bytes(),
  service: serviceReferenceSchema,
  url: string(),
});
export interface WebhookClientConfig extends Infer<typeof webhookClientConfigSchema> {}

export const ruleWithOperationsSchema = object(`${admissionregistration}.RuleWithOperations`, {
  apiGroups: list(string()),
  apiVersions: list(string()),
  operations: list(string()),
  resources: list(string()),
  scope: enumeration(['*', 'Cluster', 'Namespaced'], { default: '*' }),
});
export interface RuleWithOperations extends Infer<typeof ruleWithOperationsSchema> {}

export const matchConditionSchema = object(`${admissionregistration}.MatchCondition`, {
  expression: required(string()),
  name: required(string()),
});
export interface MatchCondition extends Infer<typeof matchConditionSchema> {}

/** What a validating and a mutating webhook have in common. */
export const webhookFields = {
  admissionReviewVersions: required(list(string())),
  clientConfig: required(webhookClientConfigSchema),
  failurePolicy: enumeration(['Fail', 'Ignore'], { default: 'Fail' }),
  matchConditions: listMap(matchConditionSchema, ['name']),
  matchPolicy: enumeration(['Equivalent', 'Exact'], { default: 'Equivalent' }),
  name: required(string()),
  namespaceSelector: { ...labelSelectorSchema, default: {} },
  objectSelector: { ...labelSelectorSchema, default: {} },
  rules: list(ruleWithOperationsSchema),
  sideEffects: required(enumeration(['None', 'NoneOnDryRun', 'Some', 'Unknown'])),
  timeoutSeconds: int32({ default: 10 }),
};
