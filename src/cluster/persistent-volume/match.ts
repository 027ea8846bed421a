import { classOf, isBoundTo } from '#apis/core/v1/claim-binding.ts';
import type { PersistentVolumeClaim } from '#apis/core/v1/persistent-volume-claim.ts';
import type { PersistentVolume } from '#apis/core/v1/persistent-volume.ts';
import type { Node } from '#apis/core/v1/node.ts';
import { selectorMatches } from '#apis/meta/label-selector.ts';
import { matchesTerm } from '#cluster/scheduler/filters.ts';
import { compareQuantities, tryParseQuantity } from '#apis/meta/quantity.ts';

/** Whether pods on the node can use the volume. */
export function isReachable({ spec }: PersistentVolume, node: Node): boolean {
  const terms = spec.nodeAffinity?.required?.nodeSelectorTerms;
  return terms === undefined || terms.some((term) => matchesTerm(term, node));
}

/** Set aside for this claim, by name or by uid. */
export function isReservedFor(volume: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  const reference = volume.spec.claimRef;
  if (reference === undefined) return false;
  if ((reference.uid ?? '') !== '') return isBoundTo(volume, claim);
  return reference.name === claim.metadata.name && reference.namespace === claim.metadata.namespace;
}

/**
 * The volume a claim is given: one that is reserved for it, else the smallest free one that has what it asks for. With `node` only what can be
 * used there; with `reservedOnly` nobody else's.
 */
export function volumeFor(
  claim: PersistentVolumeClaim,
  volumes: readonly PersistentVolume[],
  limits: { readonly node?: Node; readonly reservedOnly?: boolean } = {},
): PersistentVolume | undefined {
  const usable = volumes.filter((volume) => volume.metadata.deletionTimestamp === undefined && fits(volume, claim));
  const reserved = usable.find((volume) => isReservedFor(volume, claim));
  if (reserved !== undefined || limits.reservedOnly === true) return reserved;
  const { node } = limits;
  return usable
    .filter((volume) => volume.spec.claimRef === undefined && (node === undefined || isReachable(volume, node)))
    .toSorted((a, b) => compareQuantities(sizeOf(a), sizeOf(b)))[0];
}

/** Class, mode, access modes, size and labels are what the claim wants; the labels of a reserved one do not matter. */
function fits(volume: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  const { spec } = claim;
  if (classOf(volume) !== classOf(claim)) return false;
  if ((volume.spec.volumeMode ?? 'Filesystem') !== (spec.volumeMode ?? 'Filesystem')) return false;
  if ((spec.accessModes ?? []).some((mode) => volume.spec.accessModes?.includes(mode) !== true)) return false;
  if (compareQuantities(sizeOf(volume), wantedSize(claim)) < 0) return false;
  if (spec.selector === undefined || isReservedFor(volume, claim)) return true;
  return selectorMatches(spec.selector, volume.metadata.labels);
}

const nothing = { nanos: 0n, format: 'BinarySI' } as const;

function sizeOf({ spec }: PersistentVolume) {
  return tryParseQuantity(spec.capacity?.['storage']) ?? nothing;
}

function wantedSize({ spec }: PersistentVolumeClaim) {
  return tryParseQuantity(spec.resources?.requests?.['storage']) ?? nothing;
}
