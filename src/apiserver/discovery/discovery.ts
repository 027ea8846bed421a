import type { KindDefinition } from '#apis/definition.ts';
import { parseAccept } from '#apiserver/negotiation/accept.ts';
import type { SubresourceRegistry } from '#apiserver/discovery/subresources.ts';
import { verbsOf, type GroupInfo, type KindRegistry, type ServedKind } from '#apiserver/registry/kind-registry.ts';

export interface DiscoveryDocument {
  readonly contentType: string;
  readonly object: unknown;
}

const json = 'application/json';
const discoveryGroup = 'apidiscovery.k8s.io';

/** Discovery in both forms: aggregated (v2 and v2beta1) and the legacy lists, derived from the registry on each change. */
export class Discovery {
  readonly #registry: KindRegistry;
  readonly #subresources: SubresourceRegistry;
  readonly #documents = new Map<string, DiscoveryDocument>();
  #revision = -1;

  constructor(registry: KindRegistry, subresources: SubresourceRegistry) {
    this.#registry = registry;
    this.#subresources = subresources;
  }

  /** The document at `path`, or undefined where discovery has none. */
  answer(path: string, accept: string | undefined): DiscoveryDocument | undefined {
    if (this.#revision !== this.#registry.revision) {
      this.#documents.clear();
      this.#revision = this.#registry.revision;
    }
    const version = path === '/api' || path === '/apis' ? aggregatedVersion(accept) : undefined;
    const key = `${path} ${version ?? ''}`;
    let document = this.#documents.get(key);
    if (document === undefined) {
      document = this.#build(path, version);
      if (document !== undefined) this.#documents.set(key, document);
    }
    return document;
  }

  #build(path: string, aggregated: string | undefined): DiscoveryDocument | undefined {
    const [, root, ...segments] = path.split('/');
    const groups = this.#registry.groups();
    if (root === 'api') {
      const core = groups.filter((group) => group.name === '');
      if (segments.length === 0) return aggregated === undefined ? legacy(coreVersions()) : this.#aggregate(core, aggregated);
      return segments.length === 1 ? this.#resources('', segments[0] ?? '') : undefined;
    }
    if (root !== 'apis') return undefined;
    const named = groups.filter((group) => group.name !== '');
    if (segments.length === 0) return aggregated === undefined ? legacy(groupList(named)) : this.#aggregate(named, aggregated);
    const group = named.find((candidate) => candidate.name === segments[0]);
    if (group === undefined || segments.length > 2) return undefined;
    return segments.length === 1
      ? legacy({ kind: 'APIGroup', apiVersion: 'v1', ...legacyGroup(group) })
      : this.#resources(group.name, segments[1] ?? '');
  }

  #aggregate(groups: readonly GroupInfo[], version: string): DiscoveryDocument {
    const items = groups.map((group) => ({
      metadata: { name: group.name, creationTimestamp: null },
      versions: group.versions.map((name) => ({
        version: name,
        resources: this.#registry.served(group.name, name).map((served) => this.#aggregatedResource(served)),
        freshness: 'Current',
      })),
    }));
    return {
      contentType: `${json};g=${discoveryGroup};v=${version};as=APIGroupDiscoveryList`,
      object: { kind: 'APIGroupDiscoveryList', apiVersion: `${discoveryGroup}/${version}`, metadata: {}, items },
    };
  }

  #aggregatedResource({ definition, version }: ServedKind): unknown {
    const subresources = this.#subresources.of(definition, version.name).map((subresource) => ({
      subresource: subresource.name,
      responseKind: { group: subresource.group, version: subresource.version, kind: subresource.kind },
      verbs: subresource.verbs,
    }));
    return {
      resource: definition.plural,
      responseKind: { group: definition.group, version: version.name, kind: definition.kind },
      scope: definition.namespaced ? 'Namespaced' : 'Cluster',
      singularResource: definition.singular,
      verbs: verbsOf(definition),
      ...names(definition),
      ...(subresources.length === 0 ? {} : { subresources }),
    };
  }

  #resources(group: string, version: string): DiscoveryDocument | undefined {
    const kinds = this.#registry.served(group, version);
    if (kinds.length === 0) return undefined;
    const resources = kinds.flatMap(({ definition }) => {
      const { plural, singular, namespaced, kind } = definition;
      return [
        { name: plural, singularName: singular, namespaced, kind, verbs: verbsOf(definition), ...names(definition) },
        ...this.#subresources.of(definition, version).map((subresource) => ({
          name: `${plural}/${subresource.name}`,
          singularName: '',
          namespaced,
          ...(subresource.group === group ? {} : { group: subresource.group, version: subresource.version }),
          kind: subresource.kind,
          verbs: subresource.verbs,
        })),
      ];
    });
    const groupVersion = group === '' ? version : `${group}/${version}`;
    return legacy({ kind: 'APIResourceList', apiVersion: 'v1', groupVersion, resources });
  }
}

/** The aggregated version the client would have first: old clients know only v2beta1 and must not be given v2. */
function aggregatedVersion(accept: string | undefined): string | undefined {
  for (const { type, parameters } of parseAccept(accept)) {
    if (type !== json && type !== '*/*' && type !== 'application/*') continue;
    if (parameters['as'] === undefined) return undefined;
    const version = parameters['v'];
    if (parameters['as'] === 'APIGroupDiscoveryList' && parameters['g'] === discoveryGroup && (version === 'v2' || version === 'v2beta1'))
      return version;
  }
  return undefined;
}

function legacy(object: unknown): DiscoveryDocument {
  return { contentType: json, object };
}

function coreVersions(): unknown {
  return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] };
}

function groupList(groups: readonly GroupInfo[]): unknown {
  return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map(legacyGroup) };
}

function legacyGroup({ name, versions }: GroupInfo) {
  const listed = versions.map((version) => ({ groupVersion: `${name}/${version}`, version }));
  return { name, versions: listed, preferredVersion: listed[0] };
}

function names(definition: KindDefinition): { shortNames?: readonly string[]; categories?: readonly string[] } {
  return {
    ...(definition.shortNames.length === 0 ? {} : { shortNames: definition.shortNames }),
    ...(definition.categories.length === 0 ? {} : { categories: definition.categories }),
  };
}
