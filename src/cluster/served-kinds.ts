import type { CustomResourceDefinition } from '#apis/apiextensions/v1/custom-resource-definition.ts';
import { resourceOf, type KindDefinition, type Resource } from '#apis/definition.ts';
import { knativeKinds } from '#apis/knative/registry.ts';
import { builtinKinds } from '#apis/registry.ts';

const needed = ['list', 'watch', 'delete'] as const;

const isStored = ({ verbs }: KindDefinition): boolean => verbs === undefined || needed.every((verb) => verbs.includes(verb));

/** Every kind the platform itself defines whose objects can be listed, watched and deleted; each stored object once. */
export const definedResources: readonly Resource[] = [...builtinKinds, ...knativeKinds]
  // events.k8s.io shows the same objects as the core group.
  .filter((definition) => isStored(definition) && definition.group !== 'events.k8s.io')
  .map((definition) => resourceOf(definition));

const ownNames: ReadonlySet<string> = new Set([...builtinKinds, ...knativeKinds].map(({ group, plural }) => `${plural}.${group}`));

/**
 * The resource a definition adds, once it is served. One of the platform's own kinds (Knative's definitions may well be applied) adds
 * nothing, and takes nothing away when it is deleted.
 */
export function customResource({ spec, status }: CustomResourceDefinition): Resource | undefined {
  if (ownNames.has(`${spec.names.plural}.${spec.group}`)) return undefined;
  const established = status?.conditions?.some((one) => one.type === 'Established' && one.status === 'True');
  const version = spec.versions.find(({ served }) => served);
  if (established !== true || version === undefined) return undefined;
  const { kind, plural } = spec.names;
  return { group: spec.group, version: version.name, plural, kind, namespaced: spec.scope === 'Namespaced' };
}
