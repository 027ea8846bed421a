import type { ServedKind } from '#apiserver/registry/kind-registry.ts';

export const jsonPatchType = 'application/json-patch+json';
export const mergePatchType = 'application/merge-patch+json';
export const strategicPatchType = 'application/strategic-merge-patch+json';
export const applyPatchType = 'application/apply-patch+yaml';

/**
 * Media types of patches a kind takes; also what OpenAPI lists. Strategic merge is for Kubernetes' own groups: everywhere else Knative's
 * kinds come from definitions, and kubectl patches them as such.
 */
export function patchTypesOf({ custom, definition }: ServedKind): readonly string[] {
  const common = [jsonPatchType, mergePatchType, applyPatchType];
  return custom || !isKubernetesGroup(definition.group) ? common : [...common, strategicPatchType];
}

function isKubernetesGroup(group: string): boolean {
  return !group.includes('.') || group.endsWith('.k8s.io');
}
