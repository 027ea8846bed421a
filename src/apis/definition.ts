import type { FieldError } from '#apis/meta/field-error.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import type { Schema, Typed } from '#apis/schema.ts';

/** Who makes a request. */
export interface UserInfo {
  readonly username: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

/** Names one resource at one version; the type parameter is the kind's object type. */
export interface Resource<T extends KubeObject = KubeObject> {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** Carries `T`; never present at run time. */
  readonly object?: T;
}

/** What defaulting, validation and conversion may look at. All of it is plain data: definitions stay pure. */
export interface AdmissionContext<T extends KubeObject = KubeObject> {
  readonly operation: 'create' | 'update';
  readonly subresource: '' | 'status' | 'scale' | (string & {});
  readonly user: UserInfo;
  readonly dryRun: boolean;
  /** RFC 3339 time of the request, whole seconds. */
  readonly now: string;
  /** The stored object, on update. */
  readonly old?: T;
  /** Live data of a ConfigMap, e.g. `config('knative-serving', 'config-defaults')`; undefined when there is none. */
  config(namespace: string, name: string): Readonly<Record<string, string>> | undefined;
  /** Adds a `Warning` header to the response. */
  warn(message: string): void;
}

/** A column of `kubectl get`. `priority` 1 shows only with `-o wide`. */
export interface Column {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'date';
  readonly format?: string;
  readonly priority?: number;
  readonly description?: string;
  /** kubectl JSONPath (`.status.url`), or a function of the object for cells a path cannot express. */
  readonly value: string | ((object: never, now: number) => string | number | boolean | null);
}

export interface KindVersion {
  readonly name: string;
  readonly schema: Schema;
  readonly served: boolean;
  /** Columns after NAME, or all of them when one is called Name (events show theirs last). Absent: AGE alone. */
  readonly columns?: readonly Column[];
  /** Answered as a `Warning` header when the version is used. */
  readonly deprecationWarning?: string;
}

export interface ScalePaths {
  readonly specReplicasPath: string;
  readonly statusReplicasPath: string;
  /** Of a selector as text, or (built-in kinds) of a LabelSelector or label map that the server writes as text. */
  readonly labelSelectorPath?: string;
}

/** One kind, defined once; the registry, discovery, OpenAPI, tables, CRDs and docs derive from it. */
export interface KindDefinition<T extends KubeObject = KubeObject> {
  readonly group: string;
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly listKind: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly namespaced: boolean;
  /** In order of preference; the first is the preferred one of discovery. */
  readonly versions: readonly KindVersion[];
  readonly storageVersion: string;
  readonly hasStatus: boolean;
  /** metadata.generation counts changes of everything but metadata and status. */
  readonly hasGeneration: boolean;
  readonly scale?: ScalePaths;
  /** Verbs served; absent: all. Review kinds (TokenReview …) have `create` alone and are never stored. */
  readonly verbs?: readonly Verb[];
  /** Values of selectable fields besides metadata.name and metadata.namespace, e.g. `spec.nodeName`. */
  selectableFields?(object: T): Readonly<Record<string, string>>;
  /** Brings an object of `fromVersion` to `toVersion`; versions of the same shape need none. */
  convert?(object: KubeObject, fromVersion: string, toVersion: string): KubeObject;
  /** Another face of a kind of another group: its objects are stored as that kind's, and both show the same ones. */
  readonly storedAs?: {
    readonly definition: KindDefinition;
    /** Between this kind at its storage version and that one at its; apiVersion and kind are set by the caller. */
    toStored(object: KubeObject): KubeObject;
    fromStored(object: KubeObject): KubeObject;
  };
  /** Rewrites old or deprecated shapes and resets what a client may not set; runs first and may mutate `object`. */
  prepare?(object: T, context: AdmissionContext<T>): void;
  /** Fills defaults that depend on other fields or on configuration; may mutate `object`. Schema defaults run before. */
  default?(object: T, context: AdmissionContext<T>): void;
  /** Findings in Kubernetes' wording; may throw a StatusError instead (a webhook's denial, for instance). */
  validate?(object: T, context: AdmissionContext<T>): readonly FieldError[];
}

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection';

type Optional = 'singular' | 'listKind' | 'shortNames' | 'categories' | 'namespaced' | 'storageVersion' | 'hasStatus' | 'hasGeneration';
export type KindInput<T extends KubeObject> = Omit<KindDefinition<T>, Optional> & Partial<Pick<KindDefinition<T>, Optional>>;

/** Completes a definition: singular from the kind, namespaced, status and generation when the schema has status/spec. */
export function defineKind<T extends KubeObject>(input: KindInput<T>): KindDefinition<T> {
  const properties = input.versions[0]?.schema.properties ?? {};
  return {
    singular: input.kind.toLowerCase(),
    listKind: `${input.kind}List`,
    shortNames: [],
    categories: [],
    namespaced: true,
    storageVersion: input.versions[0]?.name ?? 'v1',
    hasStatus: 'status' in properties,
    hasGeneration: 'spec' in properties,
    ...input,
  };
}

/** The resource of a definition at `version` (default: its storage version). */
export function resourceOf<T extends KubeObject>(definition: KindDefinition<T>, version = definition.storageVersion): Resource<T> {
  const { group, plural, kind, namespaced } = definition;
  return { group, version, plural, kind, namespaced };
}

/** `apps/v1`, or `v1` for the core group. */
export function apiVersionOf(resource: { group: string; version: string }): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;
}

export type { Typed };
