import { controllerRevisions, type ControllerRevision } from '#apis/apps/v1/controller-revision.ts';
import { statefulSets, type StatefulSet } from '#apis/apps/v1/stateful-set.ts';
import type { PodTemplateSpec } from '#apis/core/v1/pod.ts';
import type { Client } from '#client/client.ts';
import type { Informer } from '#client/informer-types.ts';
import { childrenOf, controllerReference } from '#controller/owner.ts';
import { isReason } from '#apis/meta/status.ts';
import { templateHash } from '#cluster/template-hash.ts';
import { revisionLabel } from '#cluster/stateful-set/pods.ts';

interface Data {
  readonly spec: { readonly template: PodTemplateSpec & { $patch?: string } };
}

/** The templates a set has had, as ControllerRevisions: `kubectl rollout history` and `undo` go by them. */
export class History {
  readonly #client: Client;
  readonly #informer: Informer<ControllerRevision>;

  constructor(client: Client, informer: Informer<ControllerRevision>) {
    this.#client = client;
    this.#informer = informer;
  }

  /** Name of the revision of the set's template, which is the newest from now on. */
  async update(set: StatefulSet): Promise<string> {
    const hash = templateHash(set.spec.template, set.status?.collisionCount);
    const name = `${set.metadata.name}-${hash}`;
    const known = childrenOf(this.#informer, set);
    const newest = Math.max(0, ...known.map(({ revision }) => revision));
    const own = known.find(({ metadata }) => metadata.name === name);
    const { namespace } = set.metadata;
    if (own === undefined) {
      const data = { spec: { template: { ...set.spec.template, $patch: 'replace' } } };
      const labels = { ...set.spec.template.metadata?.labels, [revisionLabel]: hash };
      const metadata = { name, namespace, labels, ownerReferences: [controllerReference(set, statefulSets)] };
      await this.#client
        .of(controllerRevisions)
        .create({ metadata, data, revision: newest + 1 } as ControllerRevision)
        .catch(unless('AlreadyExists'));
    } else if (own.revision < newest) {
      await this.#client.of(controllerRevisions).patch(namespace, name, { type: 'merge', body: { revision: newest + 1 } });
    }
    return name;
  }

  /** The template of a revision; the set's own where it is not known any more. */
  template(set: StatefulSet, name: string): PodTemplateSpec {
    const data = this.#informer.get(set.metadata.namespace, name)?.data as Data | undefined;
    if (data === undefined) return set.spec.template;
    const { $patch: _patch, ...template } = data.spec.template;
    return template;
  }

  /** Forgets the oldest beyond the set's limit; not those in use. */
  async trim(set: StatefulSet, inUse: ReadonlySet<string>): Promise<void> {
    const unused = childrenOf(this.#informer, set)
      .filter(({ metadata }) => !inUse.has(metadata.name ?? ''))
      .toSorted((a, b) => a.revision - b.revision);
    const surplus = unused.slice(0, Math.max(0, unused.length - (set.spec.revisionHistoryLimit ?? 10)));
    for (const { metadata } of surplus)
      await this.#client
        .of(controllerRevisions)
        .delete(metadata.namespace, metadata.name ?? '')
        .catch(unless('NotFound'));
  }
}

function unless(reason: 'AlreadyExists' | 'NotFound'): (error: unknown) => void {
  return (error) => {
    if (!isReason(error, reason)) throw error;
  };
}
