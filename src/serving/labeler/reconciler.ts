import { annotations, labels, type RoutingState } from '#apis/serving/names.ts';
import { configurations, revisions, routes } from '#apis/serving/v1/kinds.ts';
import type { Configuration, Revision, Route } from '#apis/serving/v1/schemas.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import { isReason } from '#apis/meta/status.ts';
import type { Resource } from '#apis/definition.ts';
import type { Client } from '#client/client.ts';
import type { Informer } from '#client/informer-types.ts';
import { timestamp } from '#controller/conditions.ts';
import { done, type ControllerContext, type ControllerModule, type Enqueue } from '#controller/controller.ts';

const byTarget = 'routed-targets';

/**
 * Notes on revisions and configurations which routes send them traffic: a revision that some route names is `active`, one
 * that none names any more is `reserve` (it may scale to zero for good and be collected), a new one `pending`.
 */
export const labelerController: ControllerModule<Revision> = {
  name: 'labeler-controller',
  setup(context, enqueue) {
    const routeInformer = context.informers.of(routes);
    const configurationInformer = context.informers.of(configurations);
    routeInformer.addIndex(byTarget, (route) => routedTargets(route));
    routeInformer.on((event) => {
      for (const route of event.type === 'updated' ? [event.object, event.old] : [event.object]) enqueueTargets(route, enqueue);
    });
    const labeler = new Labeler(context, routeInformer, configurationInformer);
    return {
      name: 'labeler-controller',
      resource: revisions,
      async reconcile(revision) {
        await labeler.label(revision);
        return done;
      },
    };
  },
};

/** `namespace/revision` for what the route's spec names and what its status still sends traffic to. */
function routedTargets(route: Route): string[] {
  const named = [...(route.spec?.traffic ?? []), ...(route.status?.traffic ?? [])].map(({ revisionName = '' }) => revisionName);
  return [...new Set(named.filter((name) => name !== ''))].map((name) => `${route.metadata.namespace}/${name}`);
}

function enqueueTargets(route: Route, enqueue: Enqueue): void {
  for (const key of routedTargets(route)) enqueue.key(key);
}

class Labeler {
  readonly #context: ControllerContext;
  readonly #routes: Informer<Route>;
  readonly #configurations: Informer<Configuration>;

  constructor(context: ControllerContext, routeInformer: Informer<Route>, configurationInformer: Informer<Configuration>) {
    this.#context = context;
    this.#routes = routeInformer;
    this.#configurations = configurationInformer;
  }

  async label(revision: Revision): Promise<void> {
    const { namespace, name = '' } = revision.metadata;
    const found = this.#routes.byIndex(byTarget, `${namespace}/${name}`).filter((route) => route.metadata.deletionTimestamp === undefined);
    const names = found
      .map((route) => route.metadata.name ?? '')
      .toSorted()
      .join(',');
    await this.#labelConfiguration(revision, names);
    const before = revision.metadata.labels?.[labels.routingState];
    const state: RoutingState = found.length > 0 ? 'active' : before === 'pending' || before === undefined ? 'pending' : 'reserve';
    const notedRoutes = revision.metadata.annotations?.[annotations.routes] ?? '';
    if (state === before && notedRoutes === names) return;
    await patchMetadata(this.#context.client, revisions, revision, {
      labels: { [labels.routingState]: state },
      annotations: {
        [annotations.routes]: names === '' ? null : names,
        ...(state === before ? {} : { [annotations.routingStateModified]: timestamp(this.#context.clock) }),
      },
    });
  }

  /** A configuration carries the routes that any of its revisions serve. */
  async #labelConfiguration(revision: Revision, names: string): Promise<void> {
    const configuration = this.#configurations.get(revision.metadata.namespace, revision.metadata.labels?.[labels.configuration] ?? '');
    if (configuration === undefined || names === '' || configuration.metadata.annotations?.[annotations.routes] === names) return;
    if (configuration.status?.latestReadyRevisionName !== revision.metadata.name) return;
    await patchMetadata(this.#context.client, configurations, configuration, { annotations: { [annotations.routes]: names } });
  }
}

async function patchMetadata<T extends KubeObject>(
  client: Client,
  resource: Resource<T>,
  object: T,
  metadata: Record<string, unknown>,
): Promise<void> {
  try {
    await client.of(resource).patch(object.metadata.namespace, object.metadata.name ?? '', { type: 'merge', body: { metadata } });
  } catch (error) {
    if (!isReason(error, 'NotFound')) throw error;
  }
}
