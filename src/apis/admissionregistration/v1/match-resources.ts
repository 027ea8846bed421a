import { formatLabelSelector } from '#apis/meta/columns.ts';
import { labelSelectorSchema } from '#apis/meta/object.ts';
import { enumeration, list, object, required, string, type Infer } from '#apis/schema.ts';

const admissionregistration = 'io.k8s.api.admissionregistration.v1';

export const namedRuleWithOperationsSchema = object(
  `${admissionregistration}.NamedRuleWithOperations`,
  {
    apiGroups: list(string()),
    apiVersions: list(string()),
    operations: list(string()),
    resourceNames: list(string()),
    resources: list(string()),
    scope: enumeration(['*', 'Cluster', 'Namespaced'], { default: '*' }),
  },
  { 'x-kubernetes-map-type': 'atomic' },
);
export interface NamedRuleWithOperations extends Infer<typeof namedRuleWithOperationsSchema> {}

export const matchResourcesSchema = object(
  `${admissionregistration}.MatchResources`,
  {
    excludeResourceRules: list(namedRuleWithOperationsSchema),
    matchPolicy: enumeration(['Equivalent', 'Exact'], { default: 'Equivalent' }),
    namespaceSelector: { ...labelSelectorSchema, default: {} },
    objectSelector: { ...labelSelectorSchema, default: {} },
    resourceRules: list(namedRuleWithOperationsSchema),
  },
  { 'x-kubernetes-map-type': 'atomic' },
);
export interface MatchResources extends Infer<typeof matchResourcesSchema> {}

export const paramKindSchema = object(
  `${admissionregistration}.ParamKind`,
  {
    apiVersion: string(),
    kind: string(),
  },
  { 'x-kubernetes-map-type': 'atomic' },
);
export interface ParamKind extends Infer<typeof paramKindSchema> {}

export const paramRefSchema = object(
  `${admissionregistration}.ParamRef`,
  {
    name: string(),
    namespace: string(),
    parameterNotFoundAction: string(),
    selector: labelSelectorSchema,
  },
  { 'x-kubernetes-map-type': 'atomic' },
);
export interface ParamRef extends Infer<typeof paramRefSchema> {}

export const variableSchema = object(
  `${admissionregistration}.Variable`,
  {
    expression: required(string()),
    name: required(string()),
  },
  { 'x-kubernetes-map-type': 'atomic' },
);
export interface Variable extends Infer<typeof variableSchema> {}

/** PARAMREF of a policy binding: `namespace/name`, or the selector. */
export function paramRefText(reference: ParamRef | undefined): string {
  if (reference === undefined) return '<unset>';
  const subject = reference.name ?? formatLabelSelector(reference.selector);
  return reference.namespace === undefined ? subject : `${reference.namespace}/${subject}`;
}
