import {
  attributesErrors,
  subjectAccessReviewSpecSchema,
  subjectAccessReviewStatusSchema,
  subjectErrors,
} from '#apis/authorization/v1/attributes.ts';
import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { fieldInvalid } from '#apis/meta/field-error.ts';
import type { Infer } from '#apis/schema.ts';

const authorization = 'io.k8s.api.authorization.v1';

export const localSubjectAccessReviewSchema = kindSchema(`${authorization}.LocalSubjectAccessReview`, {
  spec: [2, subjectAccessReviewSpecSchema],
  status: [3, subjectAccessReviewStatusSchema],
});
export interface LocalSubjectAccessReview extends Infer<typeof localSubjectAccessReviewSchema> {}

export const localSubjectAccessReviewDefinition = defineBuiltin<LocalSubjectAccessReview>({
  group: 'authorization.k8s.io',
  kind: 'LocalSubjectAccessReview',
  plural: 'localsubjectaccessreviews',
  verbs: ['create'],
  hasGeneration: false,
  hasStatus: false,
  versions: [{ name: 'v1', schema: localSubjectAccessReviewSchema, served: true }],
  validate: ({ metadata, spec }) => [
    ...attributesErrors(spec),
    ...subjectErrors(spec),
    ...(spec.resourceAttributes !== undefined && (spec.resourceAttributes.namespace ?? '') !== (metadata.namespace ?? '')
      ? [fieldInvalid('spec.resourceAttributes.namespace', spec.resourceAttributes.namespace ?? '', 'must match metadata.namespace')]
      : []),
    ...(spec.nonResourceAttributes === undefined
      ? []
      : [fieldInvalid('spec.nonResourceAttributes', spec.nonResourceAttributes, 'disallowed on this kind of request')]),
  ],
});
export const localSubjectAccessReviews = resourceOf(localSubjectAccessReviewDefinition);
