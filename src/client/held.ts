import type { KubeObject } from '#apis/meta/object.ts';
import type { ClientList, Held, WatchEvent } from '#client/client.ts';
import { deepFreeze } from '#machinery/deep.ts';

/** What a cache keeps of an object: the object itself, or one with the parts that its readers want. */
export type Keep = <T extends KubeObject>(object: T) => T;

/** The items of a list for a cache. */
export function heldItems<T extends KubeObject>(list: ClientList<T>, keep?: Keep): Held<T>[] {
  return list.held === undefined ? list.items.map((object) => kept(object, keep)) : [...list.held];
}

/** The object of an event for a cache. */
export function heldObject<T extends KubeObject>(event: Exclude<WatchEvent<T>, { type: 'BOOKMARK' }>, keep?: Keep): Held<T> {
  return event.held ?? kept(event.object, keep);
}

/**
 * The object of what is held; undefined when it is not to be had any more, which happens only to states replaced long ago.
 */
export function stateOf<T extends KubeObject>(held: Held<T>): T | undefined {
  try {
    return held.object;
  } catch {
    return undefined;
  }
}

/** What is known of an object whose state is gone. */
export function nameOnly<T extends KubeObject>(key: string): T {
  const slash = key.indexOf('/');
  const metadata = { name: key.slice(slash + 1), ...(slash < 0 ? {} : { namespace: key.slice(0, slash) }) };
  return deepFreeze({ metadata }) as T;
}

/** Nobody who caches objects reads their managed fields, and they are half of many an object. */
function kept<T extends KubeObject>(object: T, keep: Keep = (slim) => slim): Held<T> {
  const { managedFields, ...metadata } = object.metadata;
  const slim = managedFields === undefined ? object : { ...object, metadata };
  return { object: deepFreeze(keep(slim)), resourceVersion: metadata.resourceVersion ?? '' };
}
