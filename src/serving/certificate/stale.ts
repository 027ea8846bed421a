import { objectKey, type KubeObject } from '#apis/meta/object.ts';
import { certificates, type Certificate } from '#apis/networking/v1alpha1/certificate.ts';
import { deleteObject } from '#client/delete-object.ts';
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
  const remove = async (certificate: Certificate) => {
    if (!(await deleteObject(client.of(certificates), certificate))) return;
    events.event(owner, 'Normal', 'Deleted', `Deleted orphaned Knative Certificate ${objectKey(certificate)}`);
  };
  await Promise.all(stale.map(remove));
}
