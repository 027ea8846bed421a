import { userInfoSchema } from '#apis/authentication/v1/token-review.ts';
import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { object, type Infer } from '#apis/schema.ts';

const authentication = 'io.k8s.api.authentication.v1';

export const selfSubjectReviewStatusSchema = object(`${authentication}.SelfSubjectReviewStatus`, {
  userInfo: [1, userInfoSchema],
});
export interface SelfSubjectReviewStatus extends Infer<typeof selfSubjectReviewStatusSchema> {}

export const selfSubjectReviewSchema = kindSchema(`${authentication}.SelfSubjectReview`, {
  status: [2, selfSubjectReviewStatusSchema],
});
export interface SelfSubjectReview extends Infer<typeof selfSubjectReviewSchema> {}

export const selfSubjectReviewDefinition = defineBuiltin<SelfSubjectReview>({
  group: 'authentication.k8s.io',
  kind: 'SelfSubjectReview',
  plural: 'selfsubjectreviews',
  namespaced: false,
  verbs: ['create'],
  hasGeneration: false,
  hasStatus: false,
  versions: [{ name: 'v1', schema: selfSubjectReviewSchema, served: true }],
});
export const selfSubjectReviews = resourceOf(selfSubjectReviewDefinition);
