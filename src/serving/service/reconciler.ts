import { configurations, revisions, routes, services } from '#apis/serving/v1/kinds.ts';
import type { Configuration, Revision, Route, Service, TrafficTarget } from '#apis/serving/v1/schemas.ts';
import { conditionOf } from '#apis/knative/status.ts';
import type { Informer } from '#client/informer-types.ts';
import { timestamp, type ConditionManager } from '#controller/conditions.ts';
import { done, requeue, type ControllerContext, type ControllerModule, type Outcome } from '#controller/controller.ts';
import { enqueueOwner } from '#controller/owner.ts';
import { semanticEqual } from '#machinery/semantic-equality.ts';
import { quoted, serviceConditions } from '#serving/conditions.ts';
import { findNamedRevision } from '#serving/configuration/named-revision.ts';
import { ensureChild, notOwnedRetryMs, NotOwnedError } from '#controller/children.ts';
import { makeConfiguration, makeRoute } from '#serving/service/resources.ts';

/** Service → Configuration and Route of the same name, and their conditions back. */
export const serviceController: ControllerModule<Service> = {
  name: 'service-controller',
  setup(context, enqueue) {
    const configurationInformer = context.informers.of(configurations);
    const routeInformer = context.informers.of(routes);
    enqueueOwner(configurationInformer, services, enqueue);
    enqueueOwner(routeInformer, services, enqueue);
    const reconciler = new ServiceReconciler(context, configurationInformer, routeInformer);
    return {
      resource: services,
      skipsTerminating: true,
      reconcile: (service) => reconciler.reconcile(service),
    };
  },
};

class ServiceReconciler {
  readonly #context: ControllerContext;
  readonly #configurations: Informer<Configuration>;
  readonly #routes: Informer<Route>;
  readonly #revisions: Informer<Revision>;

  constructor(context: ControllerContext, configurationInformer: Informer<Configuration>, routeInformer: Informer<Route>) {
    this.#context = context;
    this.#configurations = configurationInformer;
    this.#routes = routeInformer;
    this.#revisions = context.informers.of(revisions);
  }

  async reconcile(service: Service): Promise<Outcome> {
    const status = (service.status ??= {});
    const manager = serviceConditions.manage(status, timestamp(this.#context.clock));
    manager.initialize();
    let outcome: Outcome = done;
    try {
      await this.#reconcileChildren(service, manager);
    } catch (error) {
      if (!(error instanceof NotOwnedError)) throw error;
      const type = error.kind === 'Route' ? 'RoutesReady' : 'ConfigurationsReady';
      manager.markFalse(type, 'NotOwned', `There is an existing ${error.kind} ${quoted(error.childName)} that we do not own.`);
      outcome = requeue(notOwnedRetryMs);
    }
    if (service.metadata.generation !== undefined) status.observedGeneration = service.metadata.generation;
    return outcome;
  }

  async #reconcileChildren(service: Service, manager: ConditionManager): Promise<void> {
    const configuration = await this.#ensure(this.#configurations, service, makeConfiguration(service, this.#existing(service)));
    const bringsName = (configuration.spec?.template?.metadata?.name ?? '') !== '';
    if (configuration.metadata.generation !== configuration.status?.observedGeneration) {
      manager.markUnknown(
        'ConfigurationsReady',
        'OutOfDate',
        'The Configuration is still working to reflect the latest desired specification.',
      );
      // The revision that the route is about to name does not exist yet.
      if (bringsName) return;
    } else this.#propagateConfiguration(service, configuration, manager);
    if (findNamedRevision(configuration, this.#revisions) === 'taken') {
      const name = configuration.spec?.template?.metadata?.name ?? '';
      manager.markFalse(
        'RoutesReady',
        'RevisionNameTaken',
        `The revision name ${quoted(name)} is taken by a conflicting Revision, so traffic will not be migrated`,
      );
      return;
    }
    const route = await this.#ensure(this.#routes, service, makeRoute(service));
    if (route.metadata.generation !== route.status?.observedGeneration) {
      manager.markUnknown('RoutesReady', 'OutOfDate', 'The Route is still working to reflect the latest desired specification.');
    } else propagateRoute(service, route, manager);
    if (manager.get('RoutesReady')?.status === 'True' && !trafficHasMoved(route, configuration)) {
      manager.markUnknown('RoutesReady', 'TrafficNotMigrated', 'Traffic is not yet migrated to the latest revision.');
    }
  }

  #existing(service: Service): Configuration | undefined {
    return this.#configurations.get(service.metadata.namespace, service.metadata.name ?? '');
  }

  async #ensure<T extends Configuration | Route>(informer: Informer<T>, service: Service, desired: T): Promise<T> {
    const { kind } = informer.resource;
    try {
      const { object, created } = await ensureChild(this.#context.client, informer, service, desired);
      if (created) this.#context.events.event(service, 'Normal', 'Created', `Created ${kind} ${quoted(desired.metadata.name ?? '')}`);
      return object;
    } catch (error) {
      if (!(error instanceof NotOwnedError)) {
        const text = (error as Error).message;
        this.#context.events.event(
          service,
          'Warning',
          'CreationFailed',
          `Failed to create ${kind} ${quoted(desired.metadata.name ?? '')}: ${text}`,
        );
      }
      throw error;
    }
  }

  #propagateConfiguration(service: Service, { status = {} }: Configuration, manager: ConditionManager): void {
    const own = (service.status ??= {});
    copy(own, status, 'latestReadyRevisionName');
    copy(own, status, 'latestCreatedRevisionName');
    manager.propagate('ConfigurationsReady', conditionOf({ status }, 'Ready'));
  }
}

function propagateRoute(service: Service, { status = {} }: Route, manager: ConditionManager): void {
  const own = (service.status ??= {});
  copy(own, status, 'url');
  copy(own, status, 'address');
  copy(own, status, 'traffic');
  manager.propagate('RoutesReady', conditionOf({ status }, 'Ready'));
}

function copy<T extends object, K extends keyof T>(to: T, from: Partial<Pick<T, K>>, key: K): void {
  const value = from[key];
  if (value === undefined) delete to[key];
  else to[key] = value as T[K];
}

/** Whether the route's traffic goes where its spec says, with the configuration's newest ready revision. */
function trafficHasMoved(route: Route, configuration: Configuration): boolean {
  const want = (route.spec?.traffic ?? []).map((target) => resolved(target, configuration));
  const got = (route.status?.traffic ?? []).map(bare);
  return semanticEqual(got, want);
}

function resolved(target: TrafficTarget, configuration: Configuration): TrafficTarget {
  const bareTarget = bare(target);
  if (target.configurationName !== configuration.metadata.name) return bareTarget;
  const { configurationName: _name, ...rest } = bareTarget;
  const revisionName = configuration.status?.latestReadyRevisionName;
  return { ...rest, ...(revisionName === undefined ? {} : { revisionName }) };
}

/** A target as far as it says where traffic goes; no percentage is none. */
function bare({ url: _url, latestRevision: _latest, percent = 0, ...rest }: TrafficTarget): TrafficTarget {
  return { ...rest, percent };
}
