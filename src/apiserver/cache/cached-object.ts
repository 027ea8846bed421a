import type { KubeObject } from '#apis/meta/object.ts';
import { withResourceVersion } from '#apiserver/cache/encoding.ts';
import type { HotObjects } from '#apiserver/cache/hot-objects.ts';
import { deepFreeze } from '#machinery/deep.ts';

/** How a stored object is brought to a served version. */
export interface ObjectView {
  /** Distinguishes views of one resource, e.g. the version's name. */
  readonly id: string;
  /** Absent: as stored. The answer for an object that needs no change is the object itself. */
  readonly present?: (object: KubeObject) => KubeObject;
}

/** Where texts are read again, and who says how long they are kept. */
export interface TextSource {
  /** What the change `revision` wrote. Throws when history does not reach back to it. */
  valueOf(revision: number): string;
  valuesOf(revisions: readonly number[]): readonly string[];
  readonly hot: HotObjects;
}

/** What an object has in memory while it is in use. */
interface Contents {
  text: string;
  object?: KubeObject;
  views?: Map<string, KubeObject>;
}

/** A parsed object takes about this many times as many bytes as its text has characters (measured on Knative's and Deployments). */
const parsedWeight = 6;

/**
 * One state of one object. Text and parsed form (deep-frozen, shared by everybody who reads) are in memory while the object is
 * in use and are read from storage again afterwards; who still holds the parsed object then gets the same instance again.
 */
export class CachedObject {
  readonly key: string;
  readonly revision: number;
  readonly #source: TextSource | undefined;
  #contents: Contents | undefined;
  #last: WeakRef<KubeObject> | undefined;
  /** Set by use, lowered by whoever looks for objects out of use. */
  used = true;

  /** Without a source the text is kept for as long as the object: for states storage does not have, or not under `revision`. */
  constructor(key: string, revision: number, text: string | undefined, source?: TextSource) {
    this.key = key;
    this.revision = revision;
    this.#source = source;
    if (text === undefined) return;
    this.#contents = { text };
    source?.hot.add(this, text.length);
  }

  /**
   * Runs `use` with the contents of all these objects in memory: what is not there is read in one go, and let go of afterwards.
   * For passing over many objects without driving out those that are in use.
   */
  static pass<T>(objects: readonly CachedObject[], use: () => T): T {
    const cold = objects.filter((object) => object.#contents === undefined);
    const [first] = cold;
    const source = first === undefined ? undefined : first.#source;
    const texts = source?.valuesOf(cold.map(({ revision }) => revision)) ?? [];
    for (const [index, object] of cold.entries()) object.#contents = { text: texts[index] ?? '' };
    try {
      return use();
    } finally {
      for (const object of cold) object.#contents = undefined;
    }
  }

  get name(): string {
    return this.key.slice(this.key.lastIndexOf('/') + 1);
  }

  /** Empty for cluster-scoped objects. Keys: `/registry/GROUP/PLURAL/[NAMESPACE/]NAME`. */
  get namespace(): string {
    const parts = this.key.split('/');
    return parts.length > 5 ? (parts[4] ?? '') : '';
  }

  /** As stored, with its resourceVersion. */
  get object(): KubeObject {
    const contents = this.#load();
    if (contents.object === undefined) {
      contents.object = this.#last?.deref() ?? parse(contents.text, this.revision);
      this.#weigh(contents);
    }
    return contents.object;
  }

  /** The object through a view; the same frozen instance for every caller. */
  objectIn({ id, present }: ObjectView): KubeObject {
    const { object } = this;
    if (present === undefined) return object;
    const contents = this.#load();
    const known = contents.views?.get(id);
    if (known !== undefined) return known;
    const viewed = deepFreeze(present(object));
    if (viewed === object) return object;
    contents.views ??= new Map();
    contents.views.set(id, viewed);
    this.#weigh(contents);
    return viewed;
  }

  /** Its JSON; the stored text where that can be reused. */
  jsonIn(view: ObjectView): string {
    if (view.present !== undefined) {
      const viewed = this.objectIn(view);
      if (viewed !== this.object) return JSON.stringify(viewed);
    }
    return withResourceVersion(this.#load().text, this.revision);
  }

  /** This state through a view, for caches that keep no objects of their own. */
  heldIn(view: ObjectView): HeldObject {
    return new HeldObject(this, view);
  }

  /** The same state under a later revision: how a watch shows an object that has left its selection. */
  at(revision: number): CachedObject {
    return new CachedObject(this.key, revision, this.#load().text);
  }

  /** Lets go of what can be read again. */
  release(): void {
    const object = this.#contents?.object;
    if (object !== undefined) this.#last = new WeakRef(object);
    this.#contents = undefined;
  }

  #load(): Contents {
    this.used = true;
    if (this.#contents !== undefined) return this.#contents;
    const text = this.#source?.valueOf(this.revision) ?? '';
    const contents: Contents = { text };
    this.#contents = contents;
    this.#source?.hot.add(this, text.length);
    return contents;
  }

  /** A parsed form has come to what is in memory. */
  #weigh({ text }: Contents): void {
    this.#source?.hot.grow(this, text.length * parsedWeight);
  }
}

/** What takes the place of an object in somebody's cache: the object can be had from it at any time. */
class HeldObject {
  readonly #cached: CachedObject;
  readonly #view: ObjectView;

  constructor(cached: CachedObject, view: ObjectView) {
    this.#cached = cached;
    this.#view = view;
  }

  get resourceVersion(): string {
    return String(this.#cached.revision);
  }

  get object(): KubeObject {
    return this.#cached.objectIn(this.#view);
  }
}

function parse(text: string, revision: number): KubeObject {
  return deepFreeze(JSON.parse(withResourceVersion(text, revision)) as KubeObject);
}
