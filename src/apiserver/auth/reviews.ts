import type { UserInfo } from '#apis/definition.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import { badRequest } from '#apis/meta/status.ts';
import { fieldInvalid, fieldRequired, invalid } from '#apis/meta/field-error.ts';
import type { NonResourceAttributes, ResourceAttributes } from '#apis/authorization/v1/attributes.ts';
import { apiAudience } from '#apiserver/auth/authenticator.ts';
import type { Attributes, Authorizer, Decision, PolicyRule } from '#apiserver/auth/authorizer.ts';
import type { ServiceAccountTokens } from '#apiserver/auth/service-account-tokens.ts';
import type { ResourceCall } from '#apiserver/context.ts';
import type { ApiResponse, ReviewResponder } from '#apiserver/request.ts';
import { plainResponse } from '#apiserver/rest/commit.ts';
import { checkedBody } from '#apiserver/rest/checked-body.ts';
import { bindPod } from '#apiserver/rest/pod-binding.ts';
import type { ReviewHandler } from '#apiserver/rest/dispatch.ts';

interface AccessSpec {
  readonly resourceAttributes?: ResourceAttributes;
  readonly nonResourceAttributes?: NonResourceAttributes;
  readonly user?: string;
  readonly groups?: string[];
  readonly uid?: string;
  readonly extra?: Record<string, string[]>;
  readonly namespace?: string;
  readonly token?: string;
  readonly audiences?: string[];
}
type Review = KubeObject & { spec?: AccessSpec };

/** The kinds that are only ever created: questions to the authorizer and the authenticator, and bindings. */
export function reviewHandlers(authorizer: Authorizer, tokens: ServiceAccountTokens): ReadonlyMap<string, ReviewHandler> {
  const access =
    (check: (call: ResourceCall, review: Review) => UserInfo): ReviewHandler =>
    (call, body) => {
      const review = typed(call, body);
      const user = check(call, review);
      const attributes = attributesOf(call, review, user);
      return answer(call, review, accessStatus(authorizer.authorize(attributes)));
    };
  return new Map<string, ReviewHandler>([
    ['authorization.k8s.io/selfsubjectaccessreviews', access((call) => call.user)],
    ['authorization.k8s.io/subjectaccessreviews', access((call, review) => subjectOf(call, review))],
    ['authorization.k8s.io/localsubjectaccessreviews', access((call, review) => localSubjectOf(call, review))],
    ['authorization.k8s.io/selfsubjectrulesreviews', (call, body) => rulesReview(authorizer, call, typed(call, body))],
    ['authentication.k8s.io/selfsubjectreviews', (call, body) => answer(call, typed(call, body), { userInfo: userStatus(call.user) })],
    ['authentication.k8s.io/tokenreviews', (call, body) => tokenReview(tokens, call, typed(call, body))],
    ['/bindings', (call, body) => bindPod({ ...call, info: { ...call.info, name: body.metadata.name ?? '' } }, body)],
  ]);
}

/** A kind whose questions are answered from outside this part. */
export function foreignReview(responder: ReviewResponder): ReviewHandler {
  return async (call, body) => {
    const question = typed(call, body);
    const { request, info, user } = call;
    return answer(call, question, await responder.answer({ namespace: info.namespace, object: question, user, signal: request.signal }));
  };
}

function typed(call: ResourceCall, body: KubeObject): Review {
  return checkedBody(call, call.served.definition, body) as Review;
}

function answer(call: ResourceCall, review: Review, status: unknown): Promise<ApiResponse> {
  const metadata = { ...review.metadata, creationTimestamp: null };
  const { kind, group, plural } = call.served.definition;
  const spec = plural === 'selfsubjectreviews' ? {} : { spec: review.spec ?? {} };
  const apiVersion = group === '' ? 'v1' : `${group}/${call.served.version.name}`;
  return Promise.resolve(plainResponse({ kind, apiVersion, metadata, ...spec, status }, 201));
}

function accessStatus({ allowed, reason }: Decision): unknown {
  return { allowed, ...(reason === '' ? {} : { reason }) };
}

function attributesOf({ served }: ResourceCall, { spec = {} }: Review, user: UserInfo): Attributes {
  const { resourceAttributes: resource, nonResourceAttributes: path } = spec;
  const { group, kind } = served.definition;
  if ((resource === undefined) === (path === undefined)) {
    const text = 'exactly one of nonResourceAttributes or resourceAttributes must be specified';
    throw invalid(group, kind, '', [fieldInvalid('spec.resourceAttributes', resource ?? null, text)]);
  }
  return {
    user,
    verb: resource?.verb ?? path?.verb ?? '',
    group: resource?.group ?? '',
    version: resource?.version ?? '',
    resource: resource?.resource ?? '',
    subresource: resource?.subresource ?? '',
    namespace: resource?.namespace ?? '',
    name: resource?.name ?? '',
    ...(path === undefined ? {} : { path: path.path ?? '' }),
  };
}

function subjectOf({ served }: ResourceCall, { spec = {} }: Review): UserInfo {
  const { user = '', groups = [], uid, extra } = spec;
  const { group, kind } = served.definition;
  if (user === '' && groups.length === 0)
    throw invalid(group, kind, '', [fieldRequired('spec.user', 'at least one of user or group must be specified')]);
  return { username: user, groups, ...(uid === undefined ? {} : { uid }), ...(extra === undefined ? {} : { extra }) };
}

function localSubjectOf(call: ResourceCall, review: Review): UserInfo {
  const { namespace = '' } = review.spec?.resourceAttributes ?? {};
  const { group, kind } = call.served.definition;
  if (namespace !== call.info.namespace)
    throw invalid(group, kind, '', [fieldInvalid('spec.resourceAttributes.namespace', namespace, 'must match metadata.namespace')]);
  return subjectOf(call, review);
}

function rulesReview(authorizer: Authorizer, call: ResourceCall, review: Review): Promise<ApiResponse> {
  const namespace = review.spec?.namespace ?? '';
  if (namespace === '') throw badRequest('no namespace on request');
  const rules = authorizer.rulesFor(call.user, namespace);
  const nonResource = (rule: PolicyRule) => (rule.nonResourceURLs ?? []).length > 0;
  return answer(call, review, {
    resourceRules: rules
      .filter((rule) => !nonResource(rule))
      .map(({ verbs, apiGroups, resources, resourceNames }) => plain({ verbs, apiGroups, resources, resourceNames })),
    nonResourceRules: rules.filter(nonResource).map(({ verbs, nonResourceURLs }) => ({ verbs, nonResourceURLs })),
    incomplete: false,
  });
}

async function tokenReview(tokens: ServiceAccountTokens, call: ResourceCall, review: Review): Promise<ApiResponse> {
  const { token = '', audiences = [] } = review.spec ?? {};
  if (token === '') throw badRequest('token is required for TokenReview in authentication');
  const found = await tokens.authenticate(token, audiences.length === 0 ? [apiAudience] : audiences);
  if (found === undefined) return answer(call, review, { user: {}, error: 'invalid bearer token' });
  return answer(call, review, { authenticated: true, user: userStatus(found.user), audiences: found.audiences });
}

function userStatus({ username, uid, groups, extra }: UserInfo): unknown {
  return plain({ username, uid, groups, extra });
}

function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
