import type { KindDefinition, UserInfo } from '#apis/definition.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import type { AdmissionChain } from '#apiserver/admission/admission.ts';
import type { ResourceCache } from '#apiserver/cache/resource-cache.ts';
import { objectKeyOf, type WatchCache } from '#apiserver/cache/watch-cache.ts';
import { storedKind, type KindRegistry, type ServedKind } from '#apiserver/registry/kind-registry.ts';
import type { ResourceInfo } from '#apiserver/request-info.ts';
import type { ApiRequest } from '#apiserver/request.ts';
import type { Clock } from '#core/clock.ts';
import type { Logger } from '#core/logger.ts';
import type { Storage } from '#storage/storage.ts';

/** What the handlers of resource requests work with. */
export interface ServerContext {
  readonly storage: Storage;
  readonly cache: WatchCache;
  readonly registry: KindRegistry;
  readonly admission: AdmissionChain;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** One authenticated, authorized request for a resource of a known kind. */
export interface ResourceCall {
  readonly context: ServerContext;
  readonly request: ApiRequest;
  readonly info: ResourceInfo;
  readonly served: ServedKind;
  readonly user: UserInfo;
  /** RFC 3339, whole seconds. */
  readonly now: string;
  /** Texts of `Warning` headers, in order. */
  readonly warnings: string[];
}

/** Storage key of the object a call is about. */
export function keyOfCall({ served, info }: ResourceCall, name = info.name): string {
  const { group, plural, namespaced } = storedKind(served.definition);
  return objectKeyOf(group, plural, namespaced ? info.namespace : '', name);
}

/** The cached objects of a kind. */
export function objectsOf(cache: WatchCache, definition: KindDefinition): ResourceCache {
  const { group, plural } = storedKind(definition);
  return cache.resource(group, plural);
}

/** A current object of a built-in kind by name, frozen; for plug-ins that look things up. */
export function lookUp(context: ServerContext, group: string, plural: string, namespace: string, name: string): KubeObject | undefined {
  return context.cache.resource(group, plural).get(objectKeyOf(group, plural, namespace, name))?.object;
}
