import type { UserInfo } from '#apis/definition.ts';
import { badRequest } from '#apis/meta/status.ts';
import { authenticatedGroup, deniedError, type Attributes, type Authorizer } from '#apiserver/auth/authorizer.ts';
import { anonymousUser } from '#apiserver/auth/authorizer.ts';

const extraPrefix = 'impersonate-extra-';

/**
 * The user a request is to be made as (`Impersonate-User`, `-Group`, `-Uid`, `-Extra-…`). Each part asked for needs the
 * `impersonate` verb; 403 without it, 400 for groups or extras without a user.
 */
export function impersonated(user: UserInfo, headers: Readonly<Record<string, string>>, authorizer: Authorizer): UserInfo {
  const name = headers['impersonate-user'] ?? '';
  const groups = list(headers['impersonate-group']);
  const uid = headers['impersonate-uid'] ?? '';
  const extra = Object.fromEntries(
    Object.entries(headers).flatMap(([header, value]) =>
      header.startsWith(extraPrefix) ? [[decodeURIComponent(header.slice(extraPrefix.length)), list(value)] as const] : [],
    ),
  );
  if (name === '') {
    if (groups.length > 0 || uid !== '' || Object.keys(extra).length > 0)
      throw badRequest('requested impersonation of groups, uid or extra without impersonating a user');
    return user;
  }
  const check = (group: string, resource: string, subresource: string, value: string, namespace = '') => {
    const attributes: Attributes = { user, verb: 'impersonate', group, version: '', resource, subresource, namespace, name: value };
    const decision = authorizer.authorize(attributes);
    if (!decision.allowed) throw deniedError(attributes, decision);
  };
  const account = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(name);
  if (account === null) check('', 'users', '', name);
  else check('', 'serviceaccounts', '', account[2] ?? '', account[1]);
  for (const group of groups) check('', 'groups', '', group);
  if (uid !== '') check('authentication.k8s.io', 'uids', '', uid);
  for (const [key, values] of Object.entries(extra)) for (const value of values) check('authentication.k8s.io', 'userextras', key, value);
  return {
    username: name,
    ...(uid === '' ? {} : { uid }),
    groups: groupsOf(name, groups, account),
    ...(Object.keys(extra).length === 0 ? {} : { extra }),
  };
}

function groupsOf(name: string, groups: readonly string[], account: RegExpExecArray | null): string[] {
  if (name === anonymousUser.username) return [...anonymousUser.groups];
  const own = account === null || groups.length > 0 ? [] : ['system:serviceaccounts', `system:serviceaccounts:${account[1] ?? ''}`];
  return [...new Set([...groups, ...own, authenticatedGroup])];
}

function list(value: string | undefined): string[] {
  return (value ?? '').split(',').flatMap((part) => (part.trim() === '' ? [] : [part.trim()]));
}
