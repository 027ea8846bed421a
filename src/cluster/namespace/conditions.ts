import type { NamespaceCondition } from '#apis/core/v1/namespace.ts';
import type { Resource } from '#apis/definition.ts';

/** Objects of one kind that a deleted namespace still holds. */
export interface Remaining {
  readonly resource: Resource;
  readonly count: number;
  /** Finalizers of all of them, repeated. */
  readonly finalizers: readonly string[];
}

type Content = Omit<NamespaceCondition, 'lastTransitionTime'>;

/** Why a namespace is still there, in Kubernetes' own conditions and words. */
export function contentConditions(remaining: readonly Remaining[], failures: readonly string[]): Content[] {
  const content = remaining.map(({ resource, count }) => `${nameOf(resource)} has ${count} resource instances`).toSorted();
  const counts = new Map<string, number>();
  for (const finalizer of remaining.flatMap(({ finalizers }) => finalizers)) counts.set(finalizer, (counts.get(finalizer) ?? 0) + 1);
  const finalizers = [...counts].map(([finalizer, count]) => `${finalizer} in ${count} resource instances`).toSorted();
  return [
    condition('NamespaceDeletionDiscoveryFailure', undefined, ['ResourcesDiscovered', 'All resources successfully discovered']),
    condition('NamespaceDeletionGroupVersionParsingFailure', undefined, [
      'ParsedGroupVersions',
      'All legacy kube types successfully parsed',
    ]),
    condition(
      'NamespaceDeletionContentFailure',
      failures.length === 0
        ? undefined
        : ['ContentDeletionFailed', `Failed to delete all resource types, ${failures.length} remaining: ${failures.join(', ')}`],
      ['ContentDeleted', 'All content successfully deleted, may be waiting on finalization'],
    ),
    condition(
      'NamespaceContentRemaining',
      content.length === 0 ? undefined : ['SomeResourcesRemain', `Some resources are remaining: ${content.join(', ')}`],
      ['ContentRemoved', 'All content successfully removed'],
    ),
    condition(
      'NamespaceFinalizersRemaining',
      finalizers.length === 0
        ? undefined
        : ['SomeFinalizersRemain', `Some content in the namespace has finalizers remaining: ${finalizers.join(', ')}`],
      ['ContentHasNoFinalizers', 'All content-preserving finalizers finished'],
    ),
  ];
}

function condition(type: string, bad: readonly [string, string] | undefined, good: readonly [string, string]): Content {
  const [reason, message] = bad ?? good;
  return { type, status: bad === undefined ? 'False' : 'True', reason, message };
}

const nameOf = ({ plural, group }: Resource): string => (group === '' ? `${plural}.` : `${plural}.${group}`);
