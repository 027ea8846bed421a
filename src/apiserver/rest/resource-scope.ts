import { type Selector, matchesLabels } from '#apis/meta/label-selector.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import type { CachedObject, ObjectView } from '#apiserver/cache/cached-object.ts';
import { resourcePrefix } from '#apiserver/cache/watch-cache.ts';
import { convertTo, storedKind, versionOf, type ServedKind } from '#apiserver/registry/kind-registry.ts';
import type { ResourceInfo } from '#apiserver/request-info.ts';
import type { Schema } from '#apis/schema.ts';
import { jsonEqual } from '#apis/meta/equal.ts';
import { decode } from '#machinery/decode.ts';
import { checkSelectable, matchesFields, parseFieldSelector, requireExactField, type FieldSelector } from '#machinery/field-selectors.ts';
import { parseLabelSelector } from '#machinery/selectors.ts';

const views = new WeakMap<ServedKind['version'], ObjectView>();

/** How stored objects of a kind look at the version it was asked for. */
export function viewOf(served: ServedKind): ObjectView {
  let view = views.get(served.version);
  if (view === undefined) {
    view = makeView(served);
    views.set(served.version, view);
  }
  return view;
}

let customViews = 0;

function makeView({ definition, version, custom }: ServedKind): ObjectView {
  if (custom) {
    // The schema may have changed since an object was stored: what it no longer knows is pruned, what it adds is defaulted.
    customViews += 1;
    const id = `${version.name} ${customViews}`;
    return { id, present: (object) => adapted(convertTo(definition, object, version.name), version.schema) };
  }
  if (version.name === definition.storageVersion && definition.versions.length === 1 && definition.storedAs === undefined)
    return { id: version.name };
  return { id: versionOf({ definition, version, custom }), present: (object) => convertTo(definition, object, version.name) };
}

function adapted(object: KubeObject, schema: Schema): KubeObject {
  const decoded = decode(object, schema, { custom: true }).value as unknown as KubeObject;
  return jsonEqual(decoded, object) ? object : decoded;
}

/** What a list, watch or deletecollection is about: key range and selectors. */
export class Selection {
  readonly served: ServedKind;
  readonly view: ObjectView;
  /** Keys of the resource, or of one namespace of it. */
  readonly prefix: string;
  readonly #labels: Selector | undefined;
  readonly #fields: FieldSelector | undefined;
  /** The only name that can match, when the selection is for one object. */
  readonly name: string | undefined;

  /** StatusError 400 when a selector cannot be parsed or names a field the kind does not offer. */
  constructor(served: ServedKind, info: ResourceInfo, query: URLSearchParams) {
    this.served = served;
    this.view = viewOf(served);
    const namespace = served.definition.namespaced ? info.namespace : '';
    const { group, plural } = storedKind(served.definition);
    this.prefix = resourcePrefix(group, plural) + (namespace === '' ? '' : `${namespace}/`);
    this.#labels = parsed(query.get('labelSelector'), parseLabelSelector);
    this.#fields = parsed(query.get('fieldSelector'), (text) => parseFieldSelector(text));
    if (this.#fields !== undefined) checkSelectable(this.#fields, (field) => isSelectable(served, field), commonFields(served));
    const byField = this.#fields === undefined ? undefined : requireExactField(this.#fields, 'metadata.name');
    this.name = info.name === '' ? byField : info.name;
  }

  /** True when every object in the key range is selected. */
  get everything(): boolean {
    return this.#labels === undefined && this.#fields === undefined && this.name === undefined;
  }

  /** False when `matches` looks at keys only. */
  get needsContents(): boolean {
    return this.#labels !== undefined || this.#fields !== undefined;
  }

  matches(object: CachedObject): boolean {
    if (!object.key.startsWith(this.prefix)) return false;
    if (this.name !== undefined && object.name !== this.name) return false;
    if (this.#labels !== undefined && !matchesLabels(this.#labels, object.object.metadata.labels)) return false;
    if (this.#fields === undefined) return true;
    return matchesFields(this.#fields, fieldReader(this.served, object));
  }
}

/**
 * The names are read off an object with nothing but its schema's defaults: definitions give every field they offer, empty where
 * there is no value.
 */
function isSelectable({ definition, version }: ServedKind, field: string): boolean {
  if (field === 'metadata.name' || (field === 'metadata.namespace' && definition.namespaced)) return true;
  if (definition.selectableFields === undefined) return false;
  const hollow = decode({ metadata: {}, spec: {}, status: {} }, version.schema, { custom: true }).value;
  return field in definition.selectableFields(hollow as unknown as KubeObject);
}

/** The fields of a built-in kind without selectable fields of its own; undefined for others. */
function commonFields({ definition }: ServedKind): readonly string[] | undefined {
  const isBuiltin = !definition.group.includes('.') || definition.group.endsWith('.k8s.io');
  return isBuiltin && definition.selectableFields === undefined ? ['metadata.name', 'metadata.namespace'] : undefined;
}

function parsed<T>(text: string | null, parse: (text: string) => T): T | undefined {
  return text === null || text.trim() === '' ? undefined : parse(text);
}

function fieldReader({ definition, version }: ServedKind, cached: CachedObject): (name: string) => string {
  let fields: Readonly<Record<string, string>> | undefined;
  return (name) => {
    if (name === 'metadata.name') return cached.name;
    if (name === 'metadata.namespace') return cached.namespace;
    fields ??= definition.selectableFields?.(convertTo(definition, cached.object, version.name)) ?? {};
    return fields[name] ?? '';
  };
}
