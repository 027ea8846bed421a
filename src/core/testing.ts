import { setTimeout as delay } from 'node:timers/promises';

/** For tests of what nothing announces: asks again and again until the answer is neither undefined nor false. Rejects when that takes too long. */
export async function until<T>(
  what: string,
  ask: () => T | Promise<T>,
  { timeoutMs = 20_000, everyMs = 5 }: { readonly timeoutMs?: number; readonly everyMs?: number } = {},
): Promise<Exclude<T, undefined | false>> {
  for (const deadline = performance.now() + timeoutMs; ; await delay(everyMs)) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer as Exclude<T, undefined | false>;
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs / 1000} s in vain for ${what}`);
  }
}
