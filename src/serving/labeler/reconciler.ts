import { annotations, labels, type RoutingState } from '#apis/serving/names.ts';
import { configurations, revisions, routes, services } from '#apis/serving/v1/kinds.ts';
import type { Configuration, Revision, Route, Service } from '#apis/serving/v1/schemas.ts';
import { controllerOf, type KubeObject } from '#apis/meta/object.ts';
import { ifThere } from '#apis/meta/status.ts';
import type { Resource } from '#apis/definition.ts';
import type { Client } from '#client/client.ts';
import type { Informer } from '#client/informer-types.ts';
import { timestamp } from '#controller/conditions.ts';
import { done, type ControllerContext, type ControllerModule, type Enqueue } from '#controller/controller.ts';
import { childrenOf, indexByOwner } from '#controller/owner.ts';

const byTarget = 'routed-targets';

/**
 * Notes on revisions and configurations which routes send them traffic: a revision that some route names is `active`, one
 * that none names any more is `reserve` (it may scale to zero for good and be collected), a new one `pending`.
 */
export const labelerController: ControllerModule<Revision> = {
  name: 'labeler-controller',
  setup(context, enqueue) {
    const routeInformer = context.informers.of(routes);
    routeInformer.addIndex(byTarget, (route) => routedTargets(route));
    routeInformer.on((event) => {
      for (const route of event.type === 'updated' ? [event.object, event.old] : [event.object]) enqueueTargets(route, enqueue);
    });
    const labeler = new Labeler(context, routeInformer);
    return {
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
  readonly #revisions: Informer<Revision>;
  readonly #services: Informer<Service>;

  constructor(context: ControllerContext, routeInformer: Informer<Route>) {
    this.#context = context;
    this.#routes = routeInformer;
    this.#configurations = context.informers.of(configurations);
    this.#services = context.informers.of(services);
    this.#revisions = context.informers.of(revisions);
    indexByOwner(this.#revisions);
  }

  async label(revision: Revision): Promise<void> {
    if (this.#isGoing(revision)) return;
    const names = this.#routesTo([revision]);
    await this.#labelConfiguration(revision);
    const before = revision.metadata.labels?.[labels.routingState];
    const state: RoutingState = names !== '' ? 'active' : before === 'pending' || before === undefined ? 'pending' : 'reserve';
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

  /**
   * Its configuration goes, or the service of that: what is noted on it now would only come in the way of its deletion, and make its
   * autoscaler and pods be looked at once more.
   */
  #isGoing({ metadata }: Revision): boolean {
    const owner = controllerOf({ metadata });
    if (owner === undefined) return false;
    const configuration = this.#configurations.get(metadata.namespace, owner.name);
    if (configuration === undefined || configuration.metadata.uid !== owner.uid || takesChildrenAlong(configuration)) return true;
    const top = controllerOf(configuration);
    if (top?.kind !== services.kind) return false;
    const service = this.#services.get(metadata.namespace, top.name);
    return service === undefined || service.metadata.uid !== top.uid || takesChildrenAlong(service);
  }

  /** A configuration carries the routes that any of its revisions serve. */
  async #labelConfiguration(revision: Revision): Promise<void> {
    const { namespace } = revision.metadata;
    const configuration = this.#configurations.get(namespace, revision.metadata.labels?.[labels.configuration] ?? '');
    if (configuration === undefined || configuration.metadata.deletionTimestamp !== undefined) return;
    const names = this.#routesTo(childrenOf(this.#revisions, configuration));
    if ((configuration.metadata.annotations?.[annotations.routes] ?? '') === names) return;
    const noted = { [annotations.routes]: names === '' ? null : names };
    await patchMetadata(this.#context.client, configurations, configuration, { annotations: noted });
  }

  /** Names of the routes that send traffic to any of the revisions, `a,b`. */
  #routesTo(targets: readonly Revision[]): string {
    const found = targets.flatMap(({ metadata: { namespace, name } }) => this.#routes.byIndex(byTarget, `${namespace}/${name}`));
    const alive = found.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
    return [...new Set(alive.map(({ metadata }) => metadata.name ?? ''))].toSorted().join(',');
  }
}

/** Is being deleted, and not as an orphanage. */
function takesChildrenAlong({ metadata: { deletionTimestamp, finalizers = [] } }: KubeObject): boolean {
  return deletionTimestamp !== undefined && !finalizers.includes('orphan');
}

async function patchMetadata<T extends KubeObject>(
  client: Client,
  resource: Resource<T>,
  object: T,
  metadata: Record<string, unknown>,
): Promise<void> {
  await ifThere(client.of(resource).patch(object.metadata.namespace, object.metadata.name ?? '', { type: 'merge', body: { metadata } }));
}
