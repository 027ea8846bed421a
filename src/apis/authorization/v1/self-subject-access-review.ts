import {
  attributesErrors,
  nonResourceAttributesSchema,
  resourceAttributesSchema,
  subjectAccessReviewStatusSchema,
} from '#apis/authorization/v1/attributes.ts';
import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { object, type Infer } from '#apis/schema.ts';

const authorization = 'io.k8s.api.authorization.v1';

export const selfSubjectAccessReviewSpecSchema = object(`${authorization}.SelfSubjectAccessReviewSpec`, {
  resourceAttributes: [1, resourceAttributesSchema],
  nonResourceAttributes: [2, nonResourceAttributesSchema],
});
export interface SelfSubjectAccessReviewSpec extends Infer<typeof selfSubjectAccessReviewSpecSchema> {}

export const selfSubjectAccessReviewSchema = kindSchema(`${authorization}.SelfSubjectAccessReview`, {
  spec: [2, selfSubjectAccessReviewSpecSchema],
  status: [3, subjectAccessReviewStatusSchema],
});
export interface SelfSubjectAccessReview extends Infer<typeof selfSubjectAccessReviewSchema> {}

export const selfSubjectAccessReviewDefinition = defineBuiltin<SelfSubjectAccessReview>({
  group: 'authorization.k8s.io',
  kind: 'SelfSubjectAccessReview',
  plural: 'selfsubjectaccessreviews',
  namespaced: false,
  verbs: ['create'],
  hasGeneration: false,
  hasStatus: false,
  versions: [{ name: 'v1', schema: selfSubjectAccessReviewSchema, served: true }],
  validate: ({ spec }) => attributesErrors(spec),
});
export const selfSubjectAccessReviews = resourceOf(selfSubjectAccessReviewDefinition);
