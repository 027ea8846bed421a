import type { KubeObject } from '#apis/meta/object.ts';
import { deepFreeze, withResourceVersion } from '#apiserver/cache/encoding.ts';

/** How a stored object is brought to a served version. */
export interface ObjectView {
  /** Distinguishes views of one resource, e.g. the version's name. */
  readonly id: string;
  /** Absent: as stored. The answer for an object that needs no change is the object itself. */
  readonly present?: (object: KubeObject) => KubeObject;
}

/**
 * One state of one object: the stored text, and the parsed, deep-frozen object made from it when first asked for.
 * Both are shared by everybody who reads.
 */
export class CachedObject {
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  readonly revision: number;
  readonly #text: string;
  #object: KubeObject | undefined;
  #views: Map<string, { readonly object: KubeObject; json?: string }> | undefined;

  constructor(key: string, text: string, revision: number) {
    this.key = key;
    this.#text = text;
    this.revision = revision;
    const parts = key.split('/');
    this.name = parts.at(-1) ?? '';
    this.namespace = parts.length > 5 ? (parts[4] ?? '') : '';
  }

  /** As stored, with its resourceVersion. */
  get object(): KubeObject {
    this.#object ??= deepFreeze(JSON.parse(withResourceVersion(this.#text, this.revision)) as KubeObject);
    return this.#object;
  }

  /** The object through a view; the same frozen instance for every caller. */
  objectIn(view: ObjectView): KubeObject {
    return view.present === undefined ? this.object : this.#viewed(view, view.present).object;
  }

  /** Its JSON. Not kept where the stored text can be reused. */
  jsonIn(view: ObjectView): string {
    if (view.present === undefined) return withResourceVersion(this.#text, this.revision);
    const viewed = this.#viewed(view, view.present);
    if (viewed.object === this.object) return withResourceVersion(this.#text, this.revision);
    viewed.json ??= JSON.stringify(viewed.object);
    return viewed.json;
  }

  /** The same state under a later revision: how a watch shows an object that has left its selection. */
  at(revision: number): CachedObject {
    return new CachedObject(this.key, this.#text, revision);
  }

  #viewed(view: ObjectView, present: (object: KubeObject) => KubeObject): { readonly object: KubeObject; json?: string } {
    const known = this.#views?.get(view.id);
    if (known !== undefined) return known;
    const object = deepFreeze(present(this.object));
    this.#views ??= new Map();
    const viewed = { object };
    this.#views.set(view.id, viewed);
    return viewed;
  }
}
