import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { boolean, list, object, required, string, type Infer } from '#apis/schema.ts';

const authorization = 'io.k8s.api.authorization.v1';

export const resourceRuleSchema = object(`${authorization}.ResourceRule`, {
  verbs: [1, required(list(string()))],
  apiGroups: [2, list(string())],
  resources: [3, list(string())],
  resourceNames: [4, list(string())],
});
export interface ResourceRule extends Infer<typeof resourceRuleSchema> {}

export const nonResourceRuleSchema = object(`${authorization}.NonResourceRule`, {
  verbs: [1, required(list(string()))],
  nonResourceURLs: [2, list(string())],
});
export interface NonResourceRule extends Infer<typeof nonResourceRuleSchema> {}

export const selfSubjectRulesReviewSpecSchema = object(`${authorization}.SelfSubjectRulesReviewSpec`, {
  namespace: [1, string()],
});
export interface SelfSubjectRulesReviewSpec extends Infer<typeof selfSubjectRulesReviewSpecSchema> {}

export const subjectRulesReviewStatusSchema = object(`${authorization}.SubjectRulesReviewStatus`, {
  resourceRules: [1, required(list(resourceRuleSchema, { default: [] }))],
  nonResourceRules: [2, required(list(nonResourceRuleSchema, { default: [] }))],
  incomplete: [3, required(boolean({ default: false }))],
  evaluationError: [4, string()],
});
export interface SubjectRulesReviewStatus extends Infer<typeof subjectRulesReviewStatusSchema> {}

export const selfSubjectRulesReviewSchema = kindSchema(`${authorization}.SelfSubjectRulesReview`, {
  spec: [2, selfSubjectRulesReviewSpecSchema],
  status: [3, subjectRulesReviewStatusSchema],
});
export interface SelfSubjectRulesReview extends Infer<typeof selfSubjectRulesReviewSchema> {}

export const selfSubjectRulesReviewDefinition = defineBuiltin<SelfSubjectRulesReview>({
  group: 'authorization.k8s.io',
  kind: 'SelfSubjectRulesReview',
  plural: 'selfsubjectrulesreviews',
  namespaced: false,
  verbs: ['create'],
  hasGeneration: false,
  hasStatus: false,
  versions: [{ name: 'v1', schema: selfSubjectRulesReviewSchema, served: true }],
});
export const selfSubjectRulesReviews = resourceOf(selfSubjectRulesReviewDefinition);
