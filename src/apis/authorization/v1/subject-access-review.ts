import {
  attributesErrors,
  subjectAccessReviewSpecSchema,
  subjectAccessReviewStatusSchema,
  subjectErrors,
} from '#apis/authorization/v1/attributes.ts';
import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import type { Infer } from '#apis/schema.ts';

const authorization = 'io.k8s.api.authorization.v1';

export const subjectAccessReviewSchema = kindSchema(`${authorization}.SubjectAccessReview`, {
  spec: [2, subjectAccessReviewSpecSchema],
  status: [3, subjectAccessReviewStatusSchema],
});
export interface SubjectAccessReview extends Infer<typeof subjectAccessReviewSchema> {}

export const subjectAccessReviewDefinition = defineBuiltin<SubjectAccessReview>({
  group: 'authorization.k8s.io',
  kind: 'SubjectAccessReview',
  plural: 'subjectaccessreviews',
  namespaced: false,
  verbs: ['create'],
  hasGeneration: false,
  hasStatus: false,
  versions: [{ name: 'v1', schema: subjectAccessReviewSchema, served: true }],
  validate: ({ spec }) => [...attributesErrors(spec), ...subjectErrors(spec)],
});
export const subjectAccessReviews = resourceOf(subjectAccessReviewDefinition);
