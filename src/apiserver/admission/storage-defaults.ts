import { classOf, claimProtection, defaultClassAnnotation, betaClassAnnotation, volumeProtection } from '#apis/core/v1/claim-binding.ts';
import type { PersistentVolumeClaim } from '#apis/core/v1/persistent-volume-claim.ts';
import { forbidden } from '#apis/meta/status.ts';
import type { StorageClass } from '#apis/storage/v1/storage-class.ts';
import type { AdmissionPlugin, AdmissionRequest } from '#apiserver/admission/admission.ts';
import { objectKeyOf } from '#apiserver/cache/watch-cache.ts';
import type { ServerContext } from '#apiserver/context.ts';
import { compareQuantities, tryParseQuantity } from '#apis/meta/quantity.ts';

/**
 * What the API does to claims and volumes on their way in: claims that name no class get the default one, both are kept while they are in use
 * (finalizers), and a bound claim grows only where its class says so.
 */
export function storageDefaults(context: ServerContext): AdmissionPlugin {
  const classes = (): StorageClass[] =>
    [...context.cache.resource('storage.k8s.io', 'storageclasses').range(objectKeyOf('storage.k8s.io', 'storageclasses', '', ''))].map(
      ({ object }) => object as StorageClass,
    );
  return {
    name: 'StorageDefaults',
    admit(request) {
      if (request.operation !== 'create' || request.subresource !== '' || request.served.definition.group !== '') return;
      if (request.served.definition.plural === 'persistentvolumes') protect(request, volumeProtection);
      if (request.served.definition.plural !== 'persistentvolumeclaims') return;
      protect(request, claimProtection);
      const { metadata, spec } = request.object as PersistentVolumeClaim;
      if (spec.storageClassName !== undefined || metadata.annotations?.[betaClassAnnotation] !== undefined) return;
      const name = defaultClass(classes())?.metadata.name;
      if (name !== undefined) spec.storageClassName = name;
    },
    check(request) {
      const { group, plural } = request.served.definition;
      if (group !== '' || plural !== 'persistentvolumeclaims' || request.operation !== 'update' || request.subresource !== '') return;
      const [claim, old] = [request.object as PersistentVolumeClaim, request.old as PersistentVolumeClaim];
      if (!grows(old, claim)) return;
      if (old.status?.phase !== 'Bound') refuse(request, 'Only bound persistent volume claims can be expanded');
      const found = classes().find(({ metadata }) => metadata.name === classOf(claim));
      if (found?.allowVolumeExpansion === true) return;
      refuse(request, 'only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize');
    },
  };
}

function protect({ object }: AdmissionRequest, finalizer: string): void {
  const finalizers = object.metadata.finalizers ?? [];
  if (!finalizers.includes(finalizer)) object.metadata.finalizers = [...finalizers, finalizer];
}

/** The newest of those marked as default, as Kubernetes has it. */
function defaultClass(all: readonly StorageClass[]): StorageClass | undefined {
  const marked = all.filter(({ metadata }) => metadata.annotations?.[defaultClassAnnotation] === 'true');
  const madeMs = ({ metadata }: StorageClass) => Date.parse(metadata.creationTimestamp ?? '');
  return marked.toSorted((a, b) => madeMs(b) - madeMs(a) || ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1))[0];
}

function grows(old: PersistentVolumeClaim, claim: PersistentVolumeClaim): boolean {
  const [before, after] = [old, claim].map(({ spec }) => tryParseQuantity(spec.resources?.requests?.['storage'] ?? '0'));
  return before !== undefined && after !== undefined && compareQuantities(after, before) > 0;
}

function refuse({ name }: AdmissionRequest, text: string): never {
  throw forbidden('', 'persistentvolumeclaims', name, text);
}
