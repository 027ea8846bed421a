import { isReason } from '#apis/meta/status.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import { certificates, type Certificate } from '#apis/networking/v1alpha1/certificate.ts';
import type { Informer } from '#client/informer-types.ts';
import type { ControllerContext } from '#controller/controller.ts';
import { childrenOf } from '#controller/owner.ts';

/** Deletes the certificates of `owner` but those of these names. `indexByOwner(informer)` comes first. */
export async function removeOtherCertificates(
  { client, events }: ControllerContext,
  informer: Informer<Certificate>,
  owner: KubeObject,
  kept: ReadonlySet<string | undefined>,
): Promise<void> {
  const stale = childrenOf(informer, owner).filter(({ metadata }) => !kept.has(metadata.name));
  const remove = async ({ metadata: { namespace, name = '', uid } }: Certificate) => {
    try {
      await client.of(certificates).delete(namespace, name, uid === undefined ? {} : { preconditions: { uid } });
      events.event(owner, 'Normal', 'Deleted', `Deleted orphaned Knative Certificate ${namespace}/${name}`);
    } catch (error) {
      if (!isReason(error, 'NotFound')) throw error;
    }
  };
  await Promise.all(stale.map(remove));
}
