import { apiVersionOf, type KindDefinition, type KindVersion, type Verb } from '#apis/definition.ts';
import type { KubeObject } from '#apis/meta/object.ts';

/** A kind at one of its served versions: what a resource path resolves to. */
export interface ServedKind {
  readonly definition: KindDefinition;
  readonly version: KindVersion;
  /** From a CustomResourceDefinition rather than compiled in. */
  readonly custom: boolean;
}

export interface GroupInfo {
  readonly name: string;
  /** Served versions, the preferred one first. */
  readonly versions: readonly string[];
}

const allVerbs: readonly Verb[] = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];

/** Verbs a kind is served with, in discovery's (alphabetical) order. */
export function verbsOf(definition: KindDefinition): readonly Verb[] {
  return definition.verbs === undefined ? allVerbs : [...definition.verbs].sort();
}

/** A kind that is answered on the spot and never stored (TokenReview and its like). */
export function isReviewKind(definition: KindDefinition): boolean {
  return definition.verbs !== undefined && definition.verbs.every((verb) => verb === 'create');
}

/**
 * Every kind the server knows, built-in and custom. Groups keep the order in which the built-ins were given; custom groups
 * come last, in alphabetical order, so that a custom `services` never hides the core one.
 */
export class KindRegistry {
  readonly #builtIns: readonly KindDefinition[];
  readonly #custom = new Map<string, KindDefinition>();
  readonly #byResource = new Map<string, ServedKind>();
  #revision = 0;

  constructor(builtIns: readonly KindDefinition[]) {
    this.#builtIns = builtIns;
    this.#index();
  }

  /** Changes whenever the set of kinds does; caches of derived documents compare it. */
  get revision(): number {
    return this.#revision;
  }

  find(group: string, version: string, plural: string): ServedKind | undefined {
    return this.#byResource.get(`${group}/${version}/${plural}`);
  }

  /** The kind behind an `apiVersion` and `kind`, if served. */
  findKind(apiVersion: string | undefined, kind: string | undefined): ServedKind | undefined {
    for (const served of this.#byResource.values()) {
      if (served.definition.kind === kind && versionOf(served) === apiVersion) return served;
    }
    return undefined;
  }

  definitions(): readonly KindDefinition[] {
    return [...this.#builtIns, ...[...this.#custom.values()].sort((a, b) => compare(a.group, b.group) || compare(a.plural, b.plural))];
  }

  /** Served kinds of one group version, in definition order. */
  served(group: string, version: string): readonly ServedKind[] {
    return this.definitions().flatMap((definition) => {
      if (definition.group !== group) return [];
      return this.find(group, version, definition.plural) ?? [];
    });
  }

  groups(): readonly GroupInfo[] {
    const groups = new Map<string, Set<string>>();
    for (const definition of this.definitions()) {
      const versions = groups.get(definition.group) ?? new Set();
      for (const version of definition.versions) if (version.served) versions.add(version.name);
      groups.set(definition.group, versions);
    }
    const builtIn = new Set(this.#builtIns.map((definition) => definition.group));
    return [...groups]
      .filter(([, versions]) => versions.size > 0)
      .map(([name, versions]) => ({ name, versions: [...versions].sort(compareVersions) }))
      .sort((a, b) => Number(!builtIn.has(a.name)) - Number(!builtIn.has(b.name)));
  }

  isBuiltIn(group: string, plural: string): boolean {
    return this.#builtIns.some((definition) => definition.group === group && definition.plural === plural);
  }

  /** Adds or replaces a custom kind; served from the next request on. */
  setCustom(definition: KindDefinition): void {
    this.#custom.set(`${definition.group}/${definition.plural}`, definition);
    this.#index();
  }

  removeCustom(group: string, plural: string): void {
    if (this.#custom.delete(`${group}/${plural}`)) this.#index();
  }

  #index(): void {
    this.#revision += 1;
    this.#byResource.clear();
    const add = (definition: KindDefinition, custom: boolean) => {
      for (const version of definition.versions) {
        const path = `${definition.group}/${version.name}/${definition.plural}`;
        if (version.served && !this.#byResource.has(path)) this.#byResource.set(path, { definition, version, custom });
      }
    };
    for (const definition of this.#builtIns) add(definition, false);
    for (const definition of this.#custom.values()) add(definition, true);
  }
}

/** `apps/v1` of a served kind. */
export function versionOf(served: ServedKind): string {
  return apiVersionOf({ group: served.definition.group, version: served.version.name });
}

/** The kind as whose objects those of `definition` are stored: nearly always itself. */
export function storedKind(definition: KindDefinition): KindDefinition {
  return definition.storedAs?.definition ?? definition;
}

/** An object of `definition` as it is stored. */
export function toStored(definition: KindDefinition, object: KubeObject): KubeObject {
  const own = convertTo(definition, object, definition.storageVersion);
  const { storedAs } = definition;
  if (storedAs === undefined) return own;
  const { group, kind, storageVersion: version } = storedAs.definition;
  return { ...storedAs.toStored(own), apiVersion: apiVersionOf({ group, version }), kind };
}

/**
 * Brings an object, of the kind's own versions or as stored, to `version`; the same object when it is there already. Never changes
 * its input.
 */
export function convertTo(definition: KindDefinition, given: KubeObject, version: string): KubeObject {
  const apiVersion = apiVersionOf({ group: definition.group, version });
  if (given.apiVersion === apiVersion) return given;
  const object = ownFace(definition, given);
  const from = object.apiVersion?.split('/').at(-1) ?? definition.storageVersion;
  const converted = definition.convert?.(object, from, version) ?? object;
  return { ...converted, apiVersion, kind: definition.kind };
}

function ownFace(definition: KindDefinition, object: KubeObject): KubeObject {
  const { storedAs, storageVersion: version, group, kind } = definition;
  if (storedAs === undefined || object.apiVersion !== apiVersionOf({ ...storedAs.definition, version: storedAs.definition.storageVersion }))
    return object;
  return { ...storedAs.fromStored(object), apiVersion: apiVersionOf({ group, version }), kind };
}

/** Kubernetes' version priority: GA before beta before alpha, higher numbers first, then the rest by name. */
function compareVersions(a: string, b: string): number {
  const parse = (version: string) => {
    const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version);
    if (match === null) return undefined;
    const stage = match[2] === undefined ? 2 : match[2] === 'beta' ? 1 : 0;
    return [stage, Number(match[1]), Number(match[3] ?? 0)] as const;
  };
  const left = parse(a);
  const right = parse(b);
  if (left === undefined || right === undefined) return Number(left === undefined) - Number(right === undefined) || compare(a, b);
  return right[0] - left[0] || right[1] - left[1] || right[2] - left[2];
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
