import { apiError } from '#apiserver/errors.ts';
import type { WatchCache } from '#apiserver/cache/watch-cache.ts';
import type { Clock } from '#core/clock.ts';

/** How long a request waits for a revision the server has not seen; kube-apiserver waits as long. */
const patienceMs = 3000;

/** Resolves when the cache has reached `revision`; 504 with the cause ResourceVersionTooLarge when that does not happen soon. */
export async function waitForRevision({ cache, clock }: { cache: WatchCache; clock: Clock }, revision: number): Promise<void> {
  if (cache.revision >= revision) return;
  const timeout = Promise.withResolvers<'late'>();
  const cancel = clock.after(patienceMs, () => timeout.resolve('late'));
  const outcome = await Promise.race([cache.reached(revision), timeout.promise]);
  cancel();
  if (outcome !== 'late') return;
  const error = apiError('futureVersion', `${revision}, current: ${cache.revision}`);
  throw Object.assign(error, {
    details: { causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }], retryAfterSeconds: 1 },
  });
}
