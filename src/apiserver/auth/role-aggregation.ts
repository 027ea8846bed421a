import { fromLabelSelector, matchesLabels } from '#apis/meta/label-selector.ts';
import type { PolicyRule } from '#apiserver/auth/authorizer.ts';
import { rbacGroup, type Role } from '#apiserver/auth/rbac-authorizer.ts';
import { send } from '#apiserver/bootstrap.ts';
import { resourcePrefix } from '#apiserver/cache/watch-cache.ts';
import type { ServerContext } from '#apiserver/context.ts';
import type { Pipeline } from '#apiserver/pipeline.ts';
import { isReason } from '#apis/meta/status.ts';
import { jsonEqual } from '#apis/meta/equal.ts';

const path = `/apis/${rbacGroup}/v1/clusterroles`;

/**
 * Fills the rules of aggregated ClusterRoles from those their selectors name, as Kubernetes' aggregation controller does: by name,
 * each rule once. An aggregate of aggregates follows when those have been written.
 */
export class RoleAggregation implements Disposable {
  readonly #context: ServerContext;
  readonly #pipeline: Pipeline;
  readonly #unsubscribe: () => void;
  #running: Promise<void> | undefined;
  #again = false;
  #stopped = false;

  constructor(context: ServerContext, pipeline: Pipeline) {
    this.#context = context;
    this.#pipeline = pipeline;
    this.#unsubscribe = this.#roles().onChange(() => void this.settle());
  }

  /** Resolves when every aggregate has the rules it should, as far as they can be written. */
  settle(): Promise<void> {
    this.#again = true;
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
    return this.#running;
  }

  [Symbol.dispose](): void {
    this.#stopped = true;
    this.#unsubscribe();
  }

  async #run(): Promise<void> {
    while (this.#again && !this.#stopped) {
      this.#again = false;
      for (const [name, rules] of this.#outdated()) await this.#write(name, rules);
    }
  }

  #outdated(): readonly (readonly [name: string, rules: readonly PolicyRule[]])[] {
    const roles = Array.from(this.#roles().range(resourcePrefix(rbacGroup, 'clusterroles')), ({ object }) => object as Role);
    return roles.flatMap((role) => {
      if (role.aggregationRule === undefined) return [];
      const rules = aggregated(role, roles);
      return jsonEqual(rules, role.rules ?? []) ? [] : [[role.metadata.name ?? '', rules] as const];
    });
  }

  /** A role that has gone meanwhile, or was given other rules, is looked at again with the change that tells of it. */
  async #write(name: string, rules: readonly PolicyRule[]): Promise<void> {
    try {
      await send(this.#pipeline, 'PATCH', `${path}/${name}`, { rules }, 'application/merge-patch+json');
    } catch (error) {
      if (isReason(error, 'NotFound') || this.#stopped) return;
      this.#context.logger.error('rules of an aggregated ClusterRole could not be written', { name, error });
    }
  }

  #roles() {
    return this.#context.cache.resource(rbacGroup, 'clusterroles');
  }
}

function aggregated(role: Role, roles: readonly Role[]): readonly PolicyRule[] {
  const rules: PolicyRule[] = [];
  for (const labels of role.aggregationRule?.clusterRoleSelectors ?? []) {
    const selector = fromLabelSelector(labels);
    for (const other of roles) {
      if (other.metadata.name === role.metadata.name || !matchesLabels(selector, other.metadata.labels)) continue;
      for (const rule of other.rules ?? []) if (!rules.some((known) => jsonEqual(known, rule))) rules.push(rule);
    }
  }
  return rules;
}
