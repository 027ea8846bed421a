import type { UserInfo } from '#apis/definition.ts';
import { forbidden, StatusError } from '#apis/meta/status.ts';

/** One question to the authorizer. `path` is set for URLs outside the resource routes, the others for resources. */
export interface Attributes {
  readonly user: UserInfo;
  readonly verb: string;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  readonly path?: string;
}

export interface Decision {
  readonly allowed: boolean;
  /** Which rule allowed it, or why nothing did; empty when there is nothing to say. */
  readonly reason: string;
}

export interface ResourceRule {
  readonly verbs: readonly string[];
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
}
export interface NonResourceRule {
  readonly verbs: readonly string[];
  readonly nonResourceURLs?: readonly string[];
}
export type PolicyRule = ResourceRule & NonResourceRule;

export interface Authorizer {
  authorize(attributes: Attributes): Decision;
  /** Everything the user may do in a namespace, cluster-wide rules included. */
  rulesFor(user: UserInfo, namespace: string): readonly PolicyRule[];
}

export const systemMasters = 'system:masters';
export const authenticatedGroup = 'system:authenticated';
const unauthenticatedGroup = 'system:unauthenticated';
export const anonymousUser: UserInfo = { username: 'system:anonymous', groups: [unauthenticatedGroup] };

/** The 403 of kube-apiserver: `pods "x" is forbidden: User "u" cannot get resource "pods" in API group "" in the namespace "n"`. */
export function deniedError(attributes: Attributes, { reason }: Decision): StatusError {
  const { user, verb, group, resource, subresource, namespace, name, path } = attributes;
  const because = reason === '' ? '' : `: ${reason}`;
  const who = `User ${JSON.stringify(user.username)} cannot ${verb}`;
  if (path !== undefined) return new StatusError('Forbidden', `forbidden: ${who} path ${JSON.stringify(path)}${because}`, { details: {} });
  const full = subresource === '' ? resource : `${resource}/${subresource}`;
  const where = namespace === '' ? 'at the cluster scope' : `in the namespace ${JSON.stringify(namespace)}`;
  return forbidden(
    group,
    resource,
    name,
    `${who} resource ${JSON.stringify(full)} in API group ${JSON.stringify(group)} ${where}${because}`,
  );
}
