import { subjectAccessReviewSpecSchema, subjectAccessReviewStatusSchema } from '#apis/authorization/v1/attributes.ts';
import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
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
});
export const localSubjectAccessReviews = resourceOf(localSubjectAccessReviewDefinition);
