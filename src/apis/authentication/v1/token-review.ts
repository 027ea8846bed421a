import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { boolean, list, map, object, required, string, type Infer } from '#apis/schema.ts';

const authentication = 'io.k8s.api.authentication.v1';

export const userInfoSchema = object(`${authentication}.UserInfo`, {
  username: [1, string()],
  uid: [2, string()],
  groups: [3, list(string())],
  extra: [4, map(list(string()))],
});
export interface UserInfo extends Infer<typeof userInfoSchema> {}

export const tokenReviewSpecSchema = object(`${authentication}.TokenReviewSpec`, {
  token: [1, required(string())],
  audiences: [2, list(string())],
});
export interface TokenReviewSpec extends Infer<typeof tokenReviewSpecSchema> {}

export const tokenReviewStatusSchema = object(`${authentication}.TokenReviewStatus`, {
  authenticated: [1, boolean()],
  user: [2, userInfoSchema],
  error: [3, string()],
  audiences: [4, list(string())],
});
export interface TokenReviewStatus extends Infer<typeof tokenReviewStatusSchema> {}

export const tokenReviewSchema = kindSchema(`${authentication}.TokenReview`, {
  spec: [2, tokenReviewSpecSchema],
  status: [3, tokenReviewStatusSchema],
});
export interface TokenReview extends Infer<typeof tokenReviewSchema> {}

export const tokenReviewDefinition = defineBuiltin<TokenReview>({
  group: 'authentication.k8s.io',
  kind: 'TokenReview',
  plural: 'tokenreviews',
  namespaced: false,
  verbs: ['create'],
  hasGeneration: false,
  hasStatus: false,
  versions: [{ name: 'v1', schema: tokenReviewSchema, served: true }],
});
export const tokenReviews = resourceOf(tokenReviewDefinition);
