import type { KindDefinition } from '#apis/definition.ts';
import type { ResourceCall } from '#apiserver/context.ts';
import type { ApiResponse } from '#apiserver/request.ts';

/** A subresource as discovery shows it. */
export interface SubresourceInfo {
  readonly name: string;
  readonly kind: string;
  readonly group: string;
  readonly version: string;
  readonly verbs: readonly string[];
}

/** A subresource with its own way of being served; status and scale are derived from the definition instead. */
export interface Subresource {
  readonly group: string;
  readonly plural: string;
  readonly name: string;
  readonly kind: string;
  readonly verbs: readonly string[];
  run(call: ResourceCall): Promise<ApiResponse>;
}

/** Group and version of the kinds that subresources answer with, where they differ from their resource's own. */
const foreignKinds: Readonly<Record<string, readonly [group: string, version: string]>> = {
  Scale: ['autoscaling', 'v1'],
  Eviction: ['policy', 'v1'],
  TokenRequest: ['authentication.k8s.io', 'v1'],
};

/** Registered subresources, and with the derived ones what each kind has. */
export class SubresourceRegistry {
  readonly #registered = new Map<string, Subresource>();

  add(subresource: Subresource): void {
    this.#registered.set(keyOf(subresource.group, subresource.plural, subresource.name), subresource);
  }

  find(group: string, plural: string, name: string): Subresource | undefined {
    return this.#registered.get(keyOf(group, plural, name));
  }

  /** In alphabetical order, as kube-apiserver lists them. */
  of(definition: KindDefinition, version: string): readonly SubresourceInfo[] {
    const { group, plural, kind } = definition;
    const infos: SubresourceInfo[] = [];
    const stored = ['get', 'patch', 'update'];
    if (definition.hasStatus && definition.verbs === undefined) infos.push({ name: 'status', kind, group, version, verbs: stored });
    if (definition.scale !== undefined) infos.push({ name: 'scale', kind: 'Scale', group: 'autoscaling', version: 'v1', verbs: stored });
    for (const registered of this.#registered.values()) {
      if (registered.group !== group || registered.plural !== plural) continue;
      const [foreignGroup, foreignVersion] = foreignKinds[registered.kind] ?? [group, version];
      const verbs = [...registered.verbs].sort();
      infos.push({ name: registered.name, kind: registered.kind, group: foreignGroup, version: foreignVersion, verbs });
    }
    return infos.sort((a, b) => (a.name < b.name ? -1 : 1));
  }
}

function keyOf(group: string, plural: string, name: string): string {
  return `${group}/${plural}/${name}`;
}
