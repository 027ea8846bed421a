/**
 * A set of strings that mostly holds one or a few: a Set takes 200 bytes and more even then, which counts where there is one for each of
 * thousands of objects. Keep what `withKey` and `withoutKey` return in place of what they were given.
 */
export type FewKeys = string | string[] | Set<string>;

/** Longer lists are searched too slowly. */
const few = 8;

export function withKey(keys: FewKeys | undefined, key: string): FewKeys {
  if (keys === undefined || keys === key) return key;
  if (typeof keys === 'string') return [keys, key];
  if (keys instanceof Set) return keys.add(key);
  if (keys.includes(key)) return keys;
  if (keys.length === few) return new Set(keys).add(key);
  keys.push(key);
  return keys;
}

/** Undefined when nothing is left. */
export function withoutKey(keys: FewKeys, key: string): FewKeys | undefined {
  if (typeof keys === 'string') return keys === key ? undefined : keys;
  if (keys instanceof Set) {
    keys.delete(key);
    return keys.size === 0 ? undefined : keys;
  }
  const rest = keys.filter((other) => other !== key);
  return rest.length === 1 ? rest[0] : rest;
}

export function keysIn(keys: FewKeys | undefined): Iterable<string> {
  if (keys === undefined) return [];
  return typeof keys === 'string' ? [keys] : keys;
}
