import { annotations, labels } from '#apis/serving/names.ts';
import { configurations, revisions } from '#apis/serving/v1/kinds.ts';
import type { GcConfig } from '#apis/serving/config/tables.ts';
import type { Configuration, Revision } from '#apis/serving/v1/schemas.ts';
import { deleteObject } from '#client/delete-object.ts';
import { done, requeue, type ControllerModule, type Outcome } from '#controller/controller.ts';
import { childrenOf, trackChildren } from '#controller/owner.ts';
import { ConfigStore } from '#controller/config-store.ts';

const hourMs = 3_600_000;

/** Removes revisions that nothing routes to and that have grown old or too many (config-gc). */
export const gcController: ControllerModule<Configuration> = {
  name: 'revision-gc-controller',
  setup(context, enqueue) {
    const informer = context.informers.of(revisions);
    // A revision that loses its route may be one too many at once.
    trackChildren(informer, configurations, enqueue);
    const config = new ConfigStore(context);
    config.onChange(['config-gc'], () => enqueue.all());
    return {
      resource: configurations,
      async reconcile(configuration): Promise<Outcome> {
        const owned = childrenOf(informer, configuration);
        for (const revision of revisionsToCollect(configuration, owned, config.get('config-gc'), context.clock.now())) {
          await remove(revision);
        }
        // Age alone can make a revision stale: look again now and then where there is something to collect.
        return owned.length > 1 ? requeue(hourMs) : done;
      },
    };

    async function remove(revision: Revision): Promise<void> {
      const { namespace, name } = revision.metadata;
      if (await deleteObject(context.client.of(revisions), revision)) context.logger.info('revision collected', { namespace, name });
    }
  },
};

/** Which of a configuration's revisions go, oldest first (serving.md §1.9, GC). */
function revisionsToCollect(configuration: Configuration, owned: readonly Revision[], config: GcConfig, nowMs: number): Revision[] {
  const inactive = owned.filter((revision) => !isActive(revision, configuration)).toSorted((a, b) => lastActiveMs(a) - lastActiveMs(b));
  const min = config['min-non-active-revisions'];
  const max = config['max-non-active-revisions'];
  const collected: Revision[] = [];
  let left = inactive.length;
  for (const revision of inactive) {
    if (left <= min) break;
    if (!isStale(revision, config, nowMs) && left <= max) continue;
    collected.push(revision);
    left -= 1;
  }
  return collected;
}

function isActive({ metadata }: Revision, { status }: Configuration): boolean {
  if (metadata.name === status?.latestReadyRevisionName || metadata.name === status?.latestCreatedRevisionName) return true;
  if (metadata.annotations?.[annotations.noGc]?.toLowerCase() === 'true') return true;
  return metadata.labels?.[labels.routingState] !== 'reserve';
}

function isStale(revision: Revision, config: GcConfig, nowMs: number): boolean {
  const created = Date.parse(revision.metadata.creationTimestamp ?? '');
  const sinceCreateMs = config['retain-since-create-time'];
  const sinceActiveMs = config['retain-since-last-active-time'];
  // Both switched off: age never makes a revision stale.
  if (sinceCreateMs === Infinity && sinceActiveMs === Infinity) return false;
  if (sinceCreateMs !== Infinity && created + sinceCreateMs > nowMs) return false;
  return sinceActiveMs === Infinity || lastActiveMs(revision) + sinceActiveMs <= nowMs;
}

function lastActiveMs({ metadata }: Revision): number {
  return Date.parse(metadata.annotations?.[annotations.routingStateModified] ?? metadata.creationTimestamp ?? '');
}
