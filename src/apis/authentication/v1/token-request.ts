import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { fieldInvalid } from '#apis/meta/field-error.ts';
import { int64, list, object, string, time, type Infer } from '#apis/schema.ts';

const authentication = 'io.k8s.api.authentication.v1';

export const boundObjectReferenceSchema = object(`${authentication}.BoundObjectReference`, {
  kind: [1, string()],
  apiVersion: [2, string()],
  name: [3, string()],
  uid: [4, string()],
});
export interface BoundObjectReference extends Infer<typeof boundObjectReferenceSchema> {}

export const tokenRequestSpecSchema = object(`${authentication}.TokenRequestSpec`, {
  audiences: [1, list(string())],
  boundObjectRef: [3, boundObjectReferenceSchema],
  expirationSeconds: [4, int64({ default: 3600 })],
});
export interface TokenRequestSpec extends Infer<typeof tokenRequestSpecSchema> {}

export const tokenRequestStatusSchema = object(`${authentication}.TokenRequestStatus`, {
  token: [1, string()],
  expirationTimestamp: [2, time()],
});
export interface TokenRequestStatus extends Infer<typeof tokenRequestStatusSchema> {}

export const tokenRequestSchema = kindSchema(`${authentication}.TokenRequest`, {
  spec: [2, tokenRequestSpecSchema],
  status: [3, tokenRequestStatusSchema],
});
export interface TokenRequest extends Infer<typeof tokenRequestSchema> {}

export const tokenRequestDefinition = defineBuiltin<TokenRequest>({
  group: 'authentication.k8s.io',
  kind: 'TokenRequest',
  plural: 'tokenrequests',
  verbs: ['create'],
  hasGeneration: false,
  hasStatus: false,
  versions: [{ name: 'v1', schema: tokenRequestSchema, served: true }],
  validate: ({ spec: { expirationSeconds = 0 } }) => {
    const field = 'spec.expirationSeconds';
    if (expirationSeconds < 600) return [fieldInvalid(field, expirationSeconds, 'may not specify a duration less than 10 minutes')];
    if (expirationSeconds > 2 ** 32) return [fieldInvalid(field, expirationSeconds, 'may not specify a duration larger than 2^32 seconds')];
    return [];
  },
});
export const tokenRequests = resourceOf(tokenRequestDefinition);
