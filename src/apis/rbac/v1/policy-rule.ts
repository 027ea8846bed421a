import { labelSelectorSchema } from '#apis/meta/object.ts';
import { list, object, required, string, type Infer } from '#apis/schema.ts';

const rbac = 'io.k8s.api.rbac.v1';

export const policyRuleSchema = object(`${rbac}.PolicyRule`, {
  verbs: [1, required(list(string(), { default: [] }))],
  apiGroups: [2, list(string())],
  resources: [3, list(string())],
  resourceNames: [4, list(string())],
  nonResourceURLs: [5, list(string())],
});
export interface PolicyRule extends Infer<typeof policyRuleSchema> {}

export const aggregationRuleSchema = object(`${rbac}.AggregationRule`, {
  clusterRoleSelectors: [1, list(labelSelectorSchema)],
});
export interface AggregationRule extends Infer<typeof aggregationRuleSchema> {}

export const subjectSchema = object(
  `${rbac}.Subject`,
  {
    kind: [1, required(string())],
    apiGroup: [2, string()],
    name: [3, required(string())],
    namespace: [4, string()],
  },
  { 'x-kubernetes-map-type': 'atomic' },
);
export interface Subject extends Infer<typeof subjectSchema> {}

export const roleRefSchema = object(
  `${rbac}.RoleRef`,
  {
    apiGroup: [1, string()],
    kind: [2, required(string())],
    name: [3, required(string())],
  },
  { 'x-kubernetes-map-type': 'atomic' },
);
export interface RoleRef extends Infer<typeof roleRefSchema> {}
