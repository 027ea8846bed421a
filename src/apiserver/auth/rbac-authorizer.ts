import type { UserInfo } from '#apis/definition.ts';
import type { KubeObject, LabelSelector } from '#apis/meta/object.ts';
import { systemMasters, type Attributes, type Authorizer, type Decision, type PolicyRule } from '#apiserver/auth/authorizer.ts';
import { ruleAllows } from '#apiserver/auth/rbac-rules.ts';
import { resourcePrefix, type WatchCache } from '#apiserver/cache/watch-cache.ts';

export const rbacGroup = 'rbac.authorization.k8s.io';

export interface RoleRef {
  readonly apiGroup?: string;
  readonly kind: string;
  readonly name: string;
}
interface Subject {
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
}
export interface Role extends KubeObject {
  rules?: readonly PolicyRule[] | null;
  aggregationRule?: { clusterRoleSelectors?: readonly LabelSelector[] };
}
interface Binding extends KubeObject {
  subjects?: readonly Subject[];
  roleRef: RoleRef;
}

interface Grant {
  /** Empty: everywhere. */
  readonly namespace: string;
  readonly rules: readonly PolicyRule[];
  readonly source: string;
  /** What is wrong with the binding: its role is not there. */
  readonly fault?: string;
}

const everythingRule: PolicyRule[] = [
  { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
  { verbs: ['*'], nonResourceURLs: ['*'] },
];

/**
 * RBAC over the cached roles and bindings. What each subject may do is worked out once after a change of any of them.
 * Aggregated ClusterRoles are resolved here, so they are right at once.
 */
export class RbacAuthorizer implements Authorizer {
  readonly #cache: WatchCache;
  #grants = new Map<string, Grant[]>();
  #builtAt = '';

  constructor(cache: WatchCache) {
    this.#cache = cache;
  }

  authorize(attributes: Attributes): Decision {
    if (attributes.user.groups.includes(systemMasters)) return { allowed: true, reason: '' };
    const faults = new Set<string>();
    for (const grant of this.#grantsOf(attributes.user)) {
      if (grant.namespace !== '' && (grant.namespace !== attributes.namespace || attributes.path !== undefined)) continue;
      if (grant.fault !== undefined) faults.add(grant.fault);
      if (grant.rules.some((rule) => ruleAllows(rule, attributes))) return { allowed: true, reason: `RBAC: allowed by ${grant.source}` };
    }
    if (faults.size === 0) return { allowed: false, reason: '' };
    const [only] = faults;
    return { allowed: false, reason: `RBAC: ${faults.size === 1 ? only : `[${[...faults].join(', ')}]`}` };
  }

  rulesFor(user: UserInfo, namespace: string): readonly PolicyRule[] {
    if (user.groups.includes(systemMasters)) return everythingRule;
    return [...this.#grantsOf(user)]
      .filter((grant) => grant.namespace === '' || grant.namespace === namespace)
      .flatMap((grant) => grant.rules);
  }

  /** The rules a reference stands for, or undefined when there is no such role. */
  resolve(reference: RoleRef, namespace: string): readonly PolicyRule[] | undefined {
    if (reference.kind === 'ClusterRole') return this.#clusterRoleRules(reference.name);
    const role = this.#get('roles', `${namespace}/${reference.name}`) as Role | undefined;
    return role === undefined ? undefined : (role.rules ?? []);
  }

  *#grantsOf(user: UserInfo): Iterable<Grant> {
    this.#refresh();
    yield* this.#grants.get(`User ${user.username}`) ?? [];
    for (const group of user.groups) yield* this.#grants.get(`Group ${group}`) ?? [];
  }

  #refresh(): void {
    const resources = ['roles', 'rolebindings', 'clusterroles', 'clusterrolebindings'].map((plural) =>
      this.#cache.resource(rbacGroup, plural),
    );
    const state = resources.map((resource) => resource.lastChange).join(' ');
    if (state === this.#builtAt) return;
    this.#builtAt = state;
    this.#grants = new Map();
    for (const plural of ['clusterrolebindings', 'rolebindings']) {
      for (const cached of this.#cache.resource(rbacGroup, plural).range(resourcePrefix(rbacGroup, plural))) {
        this.#addBinding(cached.object as Binding, cached.namespace);
      }
    }
  }

  #addBinding(binding: Binding, namespace: string): void {
    const resolved = this.resolve(binding.roleRef, namespace);
    const rules = resolved ?? [];
    const { kind: roleKind, name: roleName } = binding.roleRef;
    const missing = resolved === undefined ? { fault: `${roleKind.toLowerCase()}.${rbacGroup} ${JSON.stringify(roleName)} not found` } : {};
    const kind = namespace === '' ? 'ClusterRoleBinding' : 'RoleBinding';
    const where = namespace === '' ? '' : `/${namespace}`;
    for (const subject of binding.subjects ?? []) {
      const key = subjectKey(subject, namespace);
      const source = `${kind} "${binding.metadata.name ?? ''}${where}" of ${binding.roleRef.kind} "${binding.roleRef.name}" to ${subject.kind} "${subject.name}"`;
      const grants = this.#grants.get(key) ?? [];
      grants.push({ namespace, rules, source, ...missing });
      this.#grants.set(key, grants);
    }
  }

  #clusterRoleRules(name: string): readonly PolicyRule[] | undefined {
    const role = this.#get('clusterroles', name) as Role | undefined;
    return role === undefined ? undefined : (role.rules ?? []);
  }

  #get(plural: string, key: string): KubeObject | undefined {
    return this.#cache.resource(rbacGroup, plural).get(`${resourcePrefix(rbacGroup, plural)}${key}`)?.object;
  }
}

function subjectKey(subject: Subject, namespace: string): string {
  if (subject.kind !== 'ServiceAccount') return `${subject.kind} ${subject.name}`;
  return `User system:serviceaccount:${subject.namespace ?? namespace}:${subject.name}`;
}
