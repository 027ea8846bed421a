import type { KubeObject } from '#apis/meta/object.ts';
import { forbidden, notFound } from '#apis/meta/status.ts';
import type { AdmissionPlugin, AdmissionRequest } from '#apiserver/admission/admission.ts';
import { systemMasters, type PolicyRule } from '#apiserver/auth/authorizer.ts';
import { rbacGroup, type RbacAuthorizer, type RoleRef } from '#apiserver/auth/rbac-authorizer.ts';
import { covers } from '#apiserver/auth/rbac-rules.ts';

/** Nobody hands out more than they have: rules in a role, and the role in a binding, have to be covered by the writer's own. */
export function escalationCheck(authorizer: RbacAuthorizer): AdmissionPlugin {
  return {
    name: 'RbacEscalation',
    check(request) {
      const { group, plural } = request.served.definition;
      if (group !== rbacGroup || request.operation === 'delete' || request.user.groups.includes(systemMasters)) return;
      if (plural === 'roles' || plural === 'clusterroles') checkRole(authorizer, request, plural);
      else checkBinding(authorizer, request);
    },
  };
}

function checkRole(authorizer: RbacAuthorizer, request: AdmissionRequest, plural: string): void {
  const role = request.object as KubeObject & { rules?: PolicyRule[]; aggregationRule?: unknown };
  if (may(authorizer, request, 'escalate', plural, request.name)) return;
  const rules = role.aggregationRule === undefined ? (role.rules ?? []) : [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }];
  refuseUncovered(authorizer, request, rules);
}

function checkBinding(authorizer: RbacAuthorizer, request: AdmissionRequest): void {
  const { roleRef } = request.object as KubeObject & { roleRef: RoleRef };
  const plural = roleRef.kind === 'ClusterRole' ? 'clusterroles' : 'roles';
  if (may(authorizer, request, 'bind', plural, roleRef.name)) return;
  const rules = authorizer.resolve(roleRef, request.namespace);
  if (rules === undefined) throw notFound(rbacGroup, plural, roleRef.name);
  refuseUncovered(authorizer, request, rules);
}

function may(authorizer: RbacAuthorizer, { user, namespace }: AdmissionRequest, verb: string, resource: string, name: string): boolean {
  return authorizer.authorize({ user, verb, group: rbacGroup, version: 'v1', resource, subresource: '', namespace, name }).allowed;
}

function refuseUncovered(authorizer: RbacAuthorizer, request: AdmissionRequest, rules: readonly PolicyRule[]): void {
  const own = authorizer.rulesFor(request.user, request.namespace);
  const missing = rules.filter((rule) => !covers(own, rule));
  if (missing.length === 0) return;
  const { group, plural } = request.served.definition;
  const who = `user ${JSON.stringify(request.user.username)} (groups=[${request.user.groups.map((one) => JSON.stringify(one)).join(' ')}])`;
  const text = `${who} is attempting to grant RBAC permissions not currently held:\n${missing.map(ruleText).join('\n')}`;
  throw forbidden(group, plural, request.name, text);
}

function ruleText({ apiGroups, resources, resourceNames, nonResourceURLs, verbs }: PolicyRule): string {
  const parts = Object.entries({
    APIGroups: apiGroups,
    Resources: resources,
    ResourceNames: resourceNames,
    NonResourceURLs: nonResourceURLs,
    Verbs: verbs,
  });
  return `{${parts.flatMap(([name, values]) => (values === undefined || values.length === 0 ? [] : [`${name}:${JSON.stringify(values)}`])).join(', ')}}`;
}
