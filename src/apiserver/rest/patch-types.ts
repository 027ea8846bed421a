export const jsonPatchType = 'application/json-patch+json';
export const mergePatchType = 'application/merge-patch+json';
export const strategicPatchType = 'application/strategic-merge-patch+json';
export const applyPatchType = 'application/apply-patch+yaml';

/** Media types of patches a kind takes; also what OpenAPI lists. Strategic merge needs the schemas of built-in kinds. */
export function patchTypesOf(custom: boolean): readonly string[] {
  const common = [jsonPatchType, mergePatchType, applyPatchType];
  return custom ? common : [...common, strategicPatchType];
}
