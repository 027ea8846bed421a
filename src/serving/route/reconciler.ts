import { services as coreServices, type Service as CoreService } from '#apis/core/v1/service.ts';
import { conditionOf, isReady } from '#apis/knative/status.ts';
import { certificates } from '#apis/networking/v1alpha1/certificate.ts';
import { ingresses, type Ingress } from '#apis/networking/v1alpha1/ingress.ts';
import { configurations, revisions, routes } from '#apis/serving/v1/kinds.ts';
import { annotations, labels } from '#apis/serving/names.ts';
import type { Configuration, Revision, Route, RouteStatus } from '#apis/serving/v1/schemas.ts';
import { deleteObject } from '#client/delete-object.ts';
import type { Informer } from '#client/informer-types.ts';
import { timestamp, type ConditionManager } from '#controller/conditions.ts';
import { done, requeue, type ControllerContext, type ControllerModule, type Enqueue, type Outcome } from '#controller/controller.ts';
import { childrenOf, enqueueOwner, trackChildren } from '#controller/owner.ts';
import { goDurationMs } from '#core/duration.ts';
import { quoted, routeConditions } from '#serving/conditions.ts';
import { ConfigStore } from '#controller/config-store.ts';
import { ensureChild, notOwnedRetryMs, NotOwnedError } from '#controller/children.ts';
import type { IngressTls } from '#serving/certificate/requests.ts';
import { RouteCertificates } from '#serving/route/certificates.ts';
import { DomainNameError, hostName, localHosts } from '#serving/route/domains.ts';
import {
  localUrl,
  makeIngress,
  makePlaceholderService,
  routeUrl,
  statusTraffic,
  tagsOf,
  type RouteConfig,
} from '#serving/route/resources.ts';
import { goalOf, isSettled, readRollout, rolled, step, withoutGone, type Rollout } from '#serving/route/rollout.ts';
import { PublicPort } from '#serving/route/public-port.ts';
import { planTraffic, type RevisionTarget, type TrafficPlan } from '#serving/route/traffic.ts';

interface RouteInformers {
  readonly configurations: Informer<Configuration>;
  readonly revisions: Informer<Revision>;
  readonly ingresses: Informer<Ingress>;
  readonly services: Informer<CoreService>;
}

interface RolloutNow {
  readonly rollout: Rollout;
  readonly nextMs: number;
}

const byTarget = 'route-target';

/** Route → Ingress and placeholder Services; traffic goes only to revisions that are ready. */
export const routeController: ControllerModule<Route> = {
  name: 'route-controller',
  setup(context, enqueue) {
    const informers: RouteInformers = {
      configurations: context.informers.of(configurations),
      revisions: context.informers.of(revisions),
      ingresses: context.informers.of(ingresses),
      services: context.informers.of(coreServices),
    };
    enqueueOwner(informers.ingresses, routes, enqueue);
    trackChildren(informers.services, routes, enqueue);
    watchCertificates(context, enqueue);
    watchTargets(context, informers, enqueue);
    const config = new ConfigStore(context);
    config.onChange(['config-network', 'config-domain', 'config-features'], () => enqueue.all());
    const port = new PublicPort(context);
    port.onChange(() => enqueue.all());
    const reconciler = new RouteReconciler(context, informers, config, port);
    return {
      resource: routes,
      workers: 8,
      skipsTerminating: true,
      reconcile: (route) => reconciler.reconcile(route),
    };
  },
};

/** A route looks again whenever a configuration or revision that its traffic names changes. */
function watchTargets(context: ControllerContext, informers: RouteInformers, enqueue: Enqueue): void {
  const routeInformer = context.informers.of(routes);
  routeInformer.addIndex(byTarget, (route) =>
    (route.spec?.traffic ?? []).map(({ configurationName = '', revisionName = '' }) =>
      configurationName === ''
        ? `revision/${route.metadata.namespace}/${revisionName}`
        : `configuration/${route.metadata.namespace}/${configurationName}`,
    ),
  );
  const notify = (target: string) => {
    for (const { metadata } of routeInformer.byIndex(byTarget, target)) enqueue.key(`${metadata.namespace}/${metadata.name}`);
  };
  informers.configurations.on(({ object: { metadata } }) => notify(`configuration/${metadata.namespace}/${metadata.name}`));
  informers.revisions.on(({ object: { metadata } }) => {
    notify(`revision/${metadata.namespace}/${metadata.name}`);
    const configuration = metadata.labels?.[labels.configuration];
    if (configuration !== undefined) notify(`configuration/${metadata.namespace}/${configuration}`);
  });
}

/** A route looks again when its certificates change; when one of a whole namespace does, all routes do. */
function watchCertificates({ informers }: ControllerContext, enqueue: Enqueue): void {
  const informer = informers.of(certificates);
  trackChildren(informer, routes, enqueue);
  informer.on(({ object }) => {
    if (object.metadata.labels?.[labels.wildcardDomain] !== undefined) enqueue.all();
  });
}

class RouteReconciler {
  readonly #context: ControllerContext;
  readonly #certificates: RouteCertificates;
  readonly #informers: RouteInformers;
  readonly #config: ConfigStore;
  readonly #port: PublicPort;

  constructor(context: ControllerContext, informers: RouteInformers, config: ConfigStore, port: PublicPort) {
    this.#context = context;
    this.#certificates = new RouteCertificates(context);
    this.#informers = informers;
    this.#config = config;
    this.#port = port;
  }

  async reconcile(route: Route): Promise<Outcome> {
    const status = (route.status ??= {});
    const manager = routeConditions.manage(status, timestamp(this.#context.clock));
    manager.initialize();
    if (route.metadata.generation !== status.observedGeneration) ingressNotConfigured(manager);
    if (route.metadata.generation !== undefined) status.observedGeneration = route.metadata.generation;
    try {
      const config = this.#routeConfig(route);
      status.url = routeUrl(route, '', config);
      const plan = planTraffic(route, this.#informers);
      if (plan.problem === undefined) return await this.#assign(route, status, plan, manager, config);
      blame(plan.problem, manager);
    } catch (error) {
      if (!(error instanceof DomainNameError)) throw error;
      manager.markFalse('AllTrafficAssigned', 'ErrorConfig', error.message);
    }
    return done;
  }

  #routeConfig(route: Route): RouteConfig {
    const network = this.#config.get('config-network');
    const tags = ['', ...(route.spec?.traffic ?? []).map(({ tag = '' }) => tag)];
    // Of a placeholder any value counts, as it does for Knative; a route's own label has to say `cluster-local`.
    const isLocal = (tag: string) =>
      (this.#informers.services.get(route.metadata.namespace, hostName(route, tag, network))?.metadata.labels?.[labels.visibility] ??
        '') !== '';
    return {
      network,
      localTags: new Set(tags.filter(isLocal)),
      features: this.#config.get('config-features'),
      domains: this.#config.data('config-domain'),
      ports: this.#port.suffixes,
      secured: new Set(),
    };
  }

  async #assign(route: Route, status: RouteStatus, plan: TrafficPlan, manager: ConditionManager, plain: RouteConfig): Promise<Outcome> {
    const { targets } = plan;
    manager.markTrue('AllTrafficAssigned');
    status.traffic = statusTraffic(route, targets, plain);
    const localHost = localHosts(route, '', plain.network).at(-1) ?? '';
    status.address = { url: localUrl(localHost, plain.secured) };
    try {
      await this.#reconcilePlaceholders(route, targets, plain);
      const { tls, secured } = await this.#certificates.reconcile(route, tagsOf(targets), plain, manager);
      const config = { ...plain, secured };
      status.url = routeUrl(route, '', config);
      status.address = { url: localUrl(localHost, secured) };
      status.traffic = statusTraffic(route, targets, config);
      return await this.#reconcileIngress(route, status, targets, manager, { ...config, tls });
    } catch (error) {
      if (!(error instanceof NotOwnedError)) throw error;
      if (error.kind === 'Certificate') {
        const message = `There is an existing certificate ${error.childName} that we don't own.`;
        manager.markFalse('CertificateProvisioned', 'CertificateNotOwned', message);
        return requeue(notOwnedRetryMs);
      }
      const what = error.kind === 'Service' ? 'placeholder Service' : error.kind;
      manager.markFalse('IngressReady', 'NotOwned', `There is an existing ${what} ${quoted(error.childName)} that we do not own.`);
      return requeue(notOwnedRetryMs);
    }
  }

  async #reconcileIngress(
    route: Route,
    status: RouteStatus,
    targets: readonly RevisionTarget[],
    manager: ConditionManager,
    config: RouteConfig & { readonly tls: readonly IngressTls[] },
  ): Promise<Outcome> {
    const { rollout, nextMs } = this.#rollout(route, targets, manager, config);
    const desired = makeIngress(route, { targets, rollout }, config, config.tls);
    const { object: ingress, created } = await ensureChild(this.#context.client, this.#informers.ingresses, route, desired);
    if (created) this.#context.events.event(route, 'Normal', 'Created', `Created Ingress ${quoted(ingress.metadata.name ?? '')}`);
    const ready = ingress.metadata.generation === ingress.status?.observedGeneration ? conditionOf(ingress, 'Ready') : undefined;
    if (!isSettled(rollout)) {
      manager.markUnknown('IngressReady', 'RolloutInProgress', 'A gradual rollout of the latest revision(s) is in progress.');
      status.traffic = statusTraffic(route, rolled(targets, '', rollout), config);
    } else if (ready === undefined) ingressNotConfigured(manager);
    else manager.propagate('IngressReady', ready.status === 'True' ? { type: 'Ready', status: 'True' } : ready);
    return nextMs > 0 ? requeue(nextMs) : done;
  }

  /** How far the traffic of latest revisions may have moved by now, and when there is more to move; 0: nothing is going on. */
  #rollout(route: Route, targets: readonly RevisionTarget[], manager: ConditionManager, { network }: RouteConfig): RolloutNow {
    const goal = goalOf(targets);
    const own = goDurationMs(route.metadata.annotations?.[annotations.rolloutDuration] ?? '') ?? 0;
    const durationS = own === 0 ? network['rollout-duration'] : own / 1000;
    const ingress = this.#informers.ingresses.get(route.metadata.namespace, route.metadata.name ?? '');
    if (durationS <= 0 || ingress === undefined) return { rollout: goal, nextMs: 0 };
    const observed = isReady(ingress) && manager.get('IngressReady')?.status !== 'True';
    const nowMs = this.#context.clock.now();
    const isThere = (name: string) => this.#informers.revisions.get(route.metadata.namespace, name) !== undefined;
    const previous = withoutGone(readRollout(ingress.metadata.annotations?.[annotations.rollout]), isThere);
    const { rollout, nextNs } = step(goal, previous, { nowNs: nowMs * 1e6, durationS, observed });
    return { rollout, nextMs: nextNs === 0 ? 0 : Math.max(1, Math.ceil(nextNs / 1e6 - nowMs)) };
  }

  /** One Service a tag, and none for tags that are gone. */
  async #reconcilePlaceholders(route: Route, targets: readonly RevisionTarget[], config: RouteConfig): Promise<void> {
    const wanted = tagsOf(targets).map((tag) => makePlaceholderService(route, tag, config));
    const names = new Set(wanted.map(({ metadata }) => metadata.name));
    const stale = childrenOf(this.#informers.services, route).filter(({ metadata }) => !names.has(metadata.name));
    await Promise.all(
      wanted.map((service) => ensureChild(this.#context.client, this.#informers.services, route, service, adoptPlaceholder)),
    );
    await Promise.all(stale.map((service) => this.#remove(route, service)));
  }

  async #remove(route: Route, service: CoreService): Promise<void> {
    if (!(await deleteObject(this.#context.client.of(coreServices), service))) return;
    this.#context.events.event(route, 'Normal', 'Deleted', `Deleted placeholder service ${quoted(service.metadata.name ?? '')}`);
  }
}

/** Labels and annotations a route has lost stay on its placeholder, as Knative's conformance tests expect (`api/v1`, propagation). */
function adoptPlaceholder(existing: CoreService, desired: CoreService): void {
  existing.metadata.labels = { ...existing.metadata.labels, ...desired.metadata.labels };
  existing.metadata.annotations = { ...existing.metadata.annotations, ...desired.metadata.annotations };
  existing.spec = { ...existing.spec, ...desired.spec };
}

function ingressNotConfigured(manager: ConditionManager): void {
  manager.markUnknown('IngressReady', 'IngressNotConfigured', 'Ingress has not yet been reconciled.');
}

function blame(problem: NonNullable<TrafficPlan['problem']>, manager: ConditionManager): void {
  if (problem.deferred) manager.markUnknown('AllTrafficAssigned', problem.reason, problem.message);
  else manager.markFalse('AllTrafficAssigned', problem.reason, problem.message);
}
