import type { UserInfo } from '#apis/definition.ts';
import { apiError } from '#apiserver/errors.ts';
import { anonymousUser, authenticatedGroup } from '#apiserver/auth/authorizer.ts';
import type { ServiceAccountTokens } from '#apiserver/auth/service-account-tokens.ts';
import type { ApiRequest } from '#apiserver/request.ts';

/** Audience of the API server itself. */
export const apiAudience = 'https://kubernetes.default.svc.cluster.local';

/**
 * Who makes a request: the identity an in-process caller brings, a ServiceAccount token, or a client certificate. A request
 * with none of them is anonymous; a token that is no good is refused (401), never taken for anonymous.
 */
export async function authenticate(request: ApiRequest, tokens: ServiceAccountTokens): Promise<UserInfo> {
  const { credentials, headers } = request;
  if (credentials.kind === 'user') return credentials.user;
  const token = /^Bearer (.*)$/i.exec(headers['authorization'] ?? '')?.[1]?.trim();
  if (token !== undefined && token !== '') {
    const found = await tokens.authenticate(token, [apiAudience]);
    if (found !== undefined) return found.user;
    // A certificate of the cluster's CA is proof by itself: clients that send a foreign token along (gcloud) still get in.
    if (credentials.certificate === undefined) throw apiError('unauthorized');
  }
  const { certificate } = credentials;
  if (certificate === undefined || certificate.commonName === '') return anonymousUser;
  return { username: certificate.commonName, groups: [...certificate.organizations, authenticatedGroup] };
}
