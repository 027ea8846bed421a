import { fieldInvalid, type FieldError } from '#apis/meta/field-error.ts';
import { fieldSelectorRequirementSchema, labelSelectorRequirementSchema } from '#apis/meta/object.ts';
import { boolean, list, map, object, required, string, type Infer } from '#apis/schema.ts';

const authorization = 'io.k8s.api.authorization.v1';

export const fieldSelectorAttributesSchema = object(`${authorization}.FieldSelectorAttributes`, {
  rawSelector: [1, string()],
  requirements: [2, list(fieldSelectorRequirementSchema)],
});
export interface FieldSelectorAttributes extends Infer<typeof fieldSelectorAttributesSchema> {}

export const labelSelectorAttributesSchema = object(`${authorization}.LabelSelectorAttributes`, {
  rawSelector: [1, string()],
  requirements: [2, list(labelSelectorRequirementSchema)],
});
export interface LabelSelectorAttributes extends Infer<typeof labelSelectorAttributesSchema> {}

export const resourceAttributesSchema = object(`${authorization}.ResourceAttributes`, {
  namespace: [1, string()],
  verb: [2, string()],
  group: [3, string()],
  version: [4, string()],
  resource: [5, string()],
  subresource: [6, string()],
  name: [7, string()],
  fieldSelector: [8, fieldSelectorAttributesSchema],
  labelSelector: [9, labelSelectorAttributesSchema],
});
export interface ResourceAttributes extends Infer<typeof resourceAttributesSchema> {}

export const nonResourceAttributesSchema = object(`${authorization}.NonResourceAttributes`, {
  path: [1, string()],
  verb: [2, string()],
});
export interface NonResourceAttributes extends Infer<typeof nonResourceAttributesSchema> {}

export const subjectAccessReviewSpecSchema = object(`${authorization}.SubjectAccessReviewSpec`, {
  resourceAttributes: [1, resourceAttributesSchema],
  nonResourceAttributes: [2, nonResourceAttributesSchema],
  user: [3, string()],
  groups: [4, list(string())],
  extra: [5, map(list(string()))],
  uid: [6, string()],
});
export interface SubjectAccessReviewSpec extends Infer<typeof subjectAccessReviewSpecSchema> {}

export const subjectAccessReviewStatusSchema = object(`${authorization}.SubjectAccessReviewStatus`, {
  allowed: [1, required(boolean({ default: false }))],
  reason: [2, string()],
  evaluationError: [3, string()],
  denied: [4, boolean()],
});
export interface SubjectAccessReviewStatus extends Infer<typeof subjectAccessReviewStatusSchema> {}

interface Attributes {
  readonly resourceAttributes?: ResourceAttributes;
  readonly nonResourceAttributes?: NonResourceAttributes;
}

/** A review asks about a resource or about a path, not about both. */
export function attributesErrors({ resourceAttributes, nonResourceAttributes }: Attributes): readonly FieldError[] {
  if (resourceAttributes !== undefined && nonResourceAttributes !== undefined) {
    return [
      fieldInvalid('spec.nonResourceAttributes', nonResourceAttributes, 'cannot be specified in combination with resourceAttributes'),
    ];
  }
  if (resourceAttributes !== undefined || nonResourceAttributes !== undefined) return [];
  return [fieldInvalid('spec.resourceAttributes', null, 'exactly one of nonResourceAttributes or resourceAttributes must be specified')];
}

/** A review on behalf of somebody names a user or a group. */
export function subjectErrors({ user = '', groups = [] }: SubjectAccessReviewSpec): readonly FieldError[] {
  return user === '' && groups.length === 0 ? [fieldInvalid('spec.user', '', 'at least one of user or group must be specified')] : [];
}
