import { controllerRevisions, type ControllerRevision } from '#apis/apps/v1/controller-revision.ts';
import type { Resource } from '#apis/definition.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import type { PodTemplateSpec } from '#apis/core/v1/pod.ts';
import type { Client } from '#client/client.ts';
import type { Informer } from '#client/informer-types.ts';
import { childrenOf, controllerReference } from '#controller/owner.ts';
import { isReason } from '#apis/meta/status.ts';
import { templateHash } from '#cluster/template-hash.ts';

interface Data {
  readonly spec: { readonly template: PodTemplateSpec & { $patch?: string } };
}

/** On a pod: which revision of its owner's template it was made from. */
export const revisionLabel = 'controller-revision-hash';

/** What has a template with a history. */
export interface Templated extends KubeObject {
  readonly spec: { readonly template: PodTemplateSpec; readonly revisionHistoryLimit?: number };
  readonly status?: { readonly collisionCount?: number };
}

/** The templates an owner has had, as ControllerRevisions: `kubectl rollout history` and `undo` go by them. */
export class History {
  readonly #owners: Resource;
  readonly #client: Client;
  readonly #informer: Informer<ControllerRevision>;

  constructor(owners: Resource, client: Client, informer: Informer<ControllerRevision>) {
    this.#owners = owners;
    this.#client = client;
    this.#informer = informer;
  }

  /** Name of the revision of the owner's template, which is the newest from now on. */
  async update(owner: Templated): Promise<string> {
    const hash = templateHash(owner.spec.template, owner.status?.collisionCount);
    const name = `${owner.metadata.name}-${hash}`;
    const known = childrenOf(this.#informer, owner);
    const newest = Math.max(0, ...known.map(({ revision }) => revision));
    const own = known.find(({ metadata }) => metadata.name === name);
    const { namespace } = owner.metadata;
    if (own === undefined) {
      const data = { spec: { template: { ...owner.spec.template, $patch: 'replace' } } };
      const labels = { ...owner.spec.template.metadata?.labels, [revisionLabel]: hash };
      const metadata = { name, namespace, labels, ownerReferences: [controllerReference(owner, this.#owners)] };
      await this.#client
        .of(controllerRevisions)
        .create({ metadata, data, revision: newest + 1 } as ControllerRevision)
        .catch(unless('AlreadyExists'));
    } else if (own.revision < newest) {
      await this.#client.of(controllerRevisions).patch(namespace, name, { type: 'merge', body: { revision: newest + 1 } });
    }
    return name;
  }

  /** The template of a revision; the owner's own where it is not known any more. */
  template(owner: Templated, name: string): PodTemplateSpec {
    const data = this.#informer.get(owner.metadata.namespace, name)?.data as Data | undefined;
    if (data === undefined) return owner.spec.template;
    const { $patch: _patch, ...template } = data.spec.template;
    return template;
  }

  /** Forgets the oldest beyond the owner's limit; not those in use. */
  async trim(owner: Templated, inUse: ReadonlySet<string>): Promise<void> {
    const unused = childrenOf(this.#informer, owner)
      .filter(({ metadata }) => !inUse.has(metadata.name ?? ''))
      .toSorted((a, b) => a.revision - b.revision);
    const surplus = unused.slice(0, Math.max(0, unused.length - (owner.spec.revisionHistoryLimit ?? 10)));
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
