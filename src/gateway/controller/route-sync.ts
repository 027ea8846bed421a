import { objectKey } from '#apis/meta/object.ts';
import type { Informer, Informers } from '#client/informer-types.ts';
import type { Logger } from '#core/logger.ts';
import { backendConfig, backendKey, isRevisionKey } from '#gateway/controller/backend-config.ts';
import { BackendUses } from '#gateway/controller/backend-uses.ts';
import { certificateReferences, CertificateSync, type CertificateReference } from '#gateway/controller/certificates.ts';
import { revisionRule, rulesOf, servicesOf, type ServiceRef } from '#gateway/controller/ingress-rules.ts';
import {
  endpointSlices,
  ingresses,
  pods,
  revisionLabel,
  revisions,
  serviceNameLabel,
  services,
  type EndpointSlice,
  type Ingress,
  type Pod,
  type Revision,
  type Service,
} from '#gateway/controller/kinds.ts';
import type { Proxy } from '#gateway/proxy/proxy.ts';
import type { BackendConfig, RouteConfig, RuleConfig } from '#gateway/routes/route-config.ts';

/** A backend that is only kept for its last requests is looked at this often. */
const lookAgainMs = 1000;

/** What was made of one Ingress. */
interface Programmed {
  readonly generation: number | undefined;
  readonly certificates: readonly CertificateReference[];
  readonly rules: readonly RuleConfig[];
  /** The Service port behind each backend. A Service may go later: its rules keep the backend they were made with. */
  readonly backends: readonly (readonly [key: string, ref: ServiceRef])[];
}

export interface RouteSyncOptions {
  readonly informers: Informers;
  readonly proxy: Proxy;
  readonly logger: Logger;
  /** Ingresses of other classes belong to others. Absent: all are ours. */
  readonly owns?: (ingress: Ingress) => boolean;
  /** Called after changes took effect. */
  readonly changed: (config: () => RouteConfig) => void;
  /** The Ingress is in effect now, as of its current generation. */
  readonly programmed: (key: string) => void;
}

/**
 * Keeps the proxy's routes and backends what the API says. Events only mark what is out of date; one pass at the end of the event
 * loop's turn brings everything up to date at once. An Ingress whose Services are not known yet keeps its previous rules, so that
 * no request meets a half-known route.
 */
export class RouteSync {
  readonly certificates: CertificateSync;
  readonly #options: RouteSyncOptions;
  readonly #ingresses: Informer<Ingress>;
  readonly #services: Informer<Service>;
  readonly #slices: Informer<EndpointSlice>;
  readonly #pods: Informer<Pod>;
  readonly #revisions: Informer<Revision>;
  readonly #programmed = new Map<string, Programmed>();
  readonly #backends = new Map<string, BackendConfig>();
  readonly #uses = new BackendUses();
  /** The rule each revision has by its own name. */
  readonly #ownRules = new Map<string, RuleConfig>();
  readonly #dirtyIngresses = new Set<string>();
  readonly #dirtyServices = new Set<string>();
  #lookAgain: NodeJS.Timeout | undefined;
  #scheduled = false;
  #started = false;

  constructor(options: RouteSyncOptions) {
    this.#options = options;
    const { informers } = options;
    this.#ingresses = informers.of(ingresses);
    this.#services = informers.of(services);
    this.#slices = informers.of(endpointSlices);
    this.#pods = informers.of(pods);
    this.#revisions = informers.of(revisions);
    this.certificates = new CertificateSync(informers, options.logger, () => this.#schedule());
    this.#addIndexes();
  }

  #addIndexes(): void {
    const inNamespace = (namespace: string | undefined, name: string | undefined) =>
      name === undefined ? [] : [`${namespace ?? ''}/${name}`];
    this.#ingresses.addIndex('service', (ingress) => servicesOf(ingress).map(({ namespace, name }) => `${namespace}/${name}`));
    this.#services.addIndex('revision', ({ metadata }) => inNamespace(metadata.namespace, metadata.labels?.[revisionLabel]));
    this.#pods.addIndex('revision', ({ metadata }) => inNamespace(metadata.namespace, metadata.labels?.[revisionLabel]));
    this.#slices.addIndex('service', ({ metadata }) => inNamespace(metadata.namespace, metadata.labels?.[serviceNameLabel]));
    this.#slices.addIndex('pod', ({ metadata, endpoints }) =>
      (endpoints ?? []).flatMap(({ targetRef }) => inNamespace(targetRef?.namespace ?? metadata.namespace, targetRef?.name)),
    );
  }

  /** Begins once the caches are full: before that a missing object means nothing. */
  start(): void {
    this.#started = true;
    this.#ingresses.on(({ object }) => this.#ingressChanged(objectKey(object)));
    this.#services.on(({ object }) => this.#serviceChanged(objectKey(object)));
    this.#slices.on(({ object }) => this.#slicesChanged(object));
    this.#pods.on((event) => this.#podChanged(event.object));
    this.#revisions.on(({ object }) => this.#revisionChanged(objectKey(object)));
    this.flush();
    // Last known routes that are no longer true go.
    const { proxy } = this.#options;
    proxy.setRules('', []);
    for (const key of proxy.backends.keys()) if (!this.#backends.has(key)) proxy.removeBackend(key);
  }

  #ingressChanged(key: string): void {
    this.#dirtyIngresses.add(key);
    this.#schedule();
  }

  #serviceChanged(key: string): void {
    this.#dirtyServices.add(key);
    // Which backend a Service is depends on its label; and an Ingress may have waited for it.
    for (const ingress of this.#ingresses.byIndex('service', key)) this.#dirtyIngresses.add(objectKey(ingress));
    this.#schedule();
  }

  #slicesChanged({ metadata }: EndpointSlice): void {
    const service = metadata.labels?.[serviceNameLabel];
    if (service === undefined) return;
    this.#dirtyServices.add(`${metadata.namespace ?? ''}/${service}`);
    this.#schedule();
  }

  #podChanged(pod: Pod): void {
    const revision = pod.metadata.labels?.[revisionLabel];
    if (revision !== undefined) this.#servicesOfRevision(`${pod.metadata.namespace ?? ''}/${revision}`);
    for (const slice of this.#slices.byIndex('pod', objectKey(pod))) this.#slicesChanged(slice);
  }

  #revisionChanged(key: string): void {
    // Its Service, which has its name, may have gone before.
    this.#dirtyServices.add(key);
    this.#servicesOfRevision(key);
    for (const service of this.#services.byIndex('revision', key)) this.#serviceChanged(objectKey(service));
  }

  #servicesOfRevision(key: string): void {
    for (const service of this.#services.byIndex('revision', key)) this.#dirtyServices.add(objectKey(service));
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || !this.#started) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      try {
        this.flush();
      } catch (error) {
        this.#options.logger.error('routes could not be brought up to date', { error });
      }
    });
  }

  /** Brings the proxy up to date with the caches. */
  flush(): void {
    const changed = [...this.#dirtyIngresses].filter((key) => this.#program(key));
    this.#dirtyIngresses.clear();
    this.#updateBackends();
    for (const key of changed) this.#options.proxy.setRules(key, this.#programmed.get(key)?.rules ?? []);
    this.#dropUnused();
    this.#options.changed(() => this.config());
    for (const key of changed) this.#options.programmed(key);
  }

  /** Everything in effect, as plain data. */
  config(): RouteConfig {
    return {
      rules: this.#rules(),
      backends: [...this.#backends.values()],
      certificates: this.certificates.configs(),
    };
  }

  /** The rules of all Ingresses, and for each revision behind them the one that its own name has. */
  #rules(): RuleConfig[] {
    return [...[...this.#programmed.values()].flatMap(({ rules }) => rules), ...this.#ownRules.values()];
  }

  /** Whether the rules in effect are those of this generation of the Ingress; otherwise what is missing. */
  stateOf(ingress: Ingress): { readonly inEffect: boolean; readonly missing: string } {
    const inEffect = this.#programmed.get(objectKey(ingress))?.generation === ingress.metadata.generation;
    const missing = inEffect ? '' : this.#missing(ingress);
    const secret = inEffect ? this.certificates.missing(ingress) : '';
    return { inEffect: inEffect && secret === '', missing: missing === '' ? secret : missing };
  }

  /** The first Service, or Revision of one, that is not known. */
  #missing(ingress: Ingress): string {
    for (const { namespace, name } of servicesOf(ingress)) {
      const service = this.#services.get(namespace, name);
      if (service === undefined) return `Service ${namespace}/${name}`;
      const revision = service.metadata.labels?.[revisionLabel];
      if (revision !== undefined && this.#revisions.get(namespace, revision) === undefined) return `Revision ${namespace}/${revision}`;
    }
    return '';
  }

  /** Makes rules of an Ingress; false when nothing changes (yet). */
  #program(key: string): boolean {
    const [namespace, name = ''] = key.split('/');
    const ingress = this.#ingresses.get(namespace, name);
    const known = this.#programmed.get(key);
    if (ingress === undefined || this.#options.owns?.(ingress) === false) return this.#replace(key, known, undefined);
    if (this.#missing(ingress) !== '') return false;
    const rules = rulesOf(ingress, (ref) => this.#keyOf(ref));
    const { generation } = ingress.metadata;
    if (known !== undefined && known.generation === generation && sameJson(known.rules, rules)) return false;
    const backends = servicesOf(ingress).map((ref) => [this.#keyOf(ref), ref] as const);
    return this.#replace(key, known, { generation, certificates: certificateReferences(ingress), rules, backends });
  }

  #replace(key: string, before: Programmed | undefined, after: Programmed | undefined): boolean {
    if (after === undefined) this.#programmed.delete(key);
    else this.#programmed.set(key, after);
    for (const [backend, ref] of after?.backends ?? []) this.#uses.add(backend, ref);
    for (const [backend] of before?.backends ?? []) this.#uses.drop(backend);
    if ((before?.certificates.length ?? 0) + (after?.certificates.length ?? 0) > 0) {
      this.certificates.update([...this.#programmed.values()].flatMap(({ certificates }) => certificates));
    }
    return before !== undefined || after !== undefined;
  }

  #keyOf(ref: ServiceRef): string {
    return backendKey(this.#services.get(ref.namespace, ref.name), ref);
  }

  #updateBackends(): void {
    const stale = [...this.#dirtyServices].flatMap((service) => [...this.#uses.of(service)]);
    this.#dirtyServices.clear();
    for (const [key, ref] of [...this.#uses.takeNew(), ...stale]) {
      const config = this.#makeBackend(key, ref);
      const known = this.#backends.get(key);
      if (known !== undefined && sameJson(known, config)) continue;
      this.#backends.set(key, config);
      this.#options.proxy.setBackend(config);
      if (isRevisionKey(key) && !this.#ownRules.has(key)) this.#setOwnRule(key, revisionRule(ref, key));
    }
  }

  #setOwnRule(key: string, rule: RuleConfig): void {
    this.#ownRules.set(key, rule);
    this.#options.proxy.setRules(key, [rule]);
  }

  /** Backends that no rule needs go; but requests that were sent on their way to one see it through. */
  #dropUnused(): void {
    clearTimeout(this.#lookAgain);
    this.#lookAgain = undefined;
    let kept = false;
    for (const [key, ref] of this.#uses.unused()) {
      const active = this.#options.proxy.backends.get(key)?.meter.active ?? 0;
      if (active > 0 && this.#services.get(ref.namespace, ref.name) !== undefined) kept = true;
      else this.#dropBackend(key);
    }
    if (kept) this.#lookAgain = setTimeout(() => this.#dropUnused(), lookAgainMs).unref();
  }

  #dropBackend(key: string): void {
    this.#uses.delete(key);
    if (this.#ownRules.delete(key)) this.#options.proxy.setRules(key, []);
    this.#backends.delete(key);
    this.#options.proxy.removeBackend(key);
  }

  #makeBackend(key: string, ref: ServiceRef): BackendConfig {
    const service = this.#services.get(ref.namespace, ref.name);
    const known = this.#backends.get(key);
    if (service === undefined) {
      if (known !== undefined) return withoutService(known, this.#revisions.get(ref.namespace, known.name) !== undefined);
      throw new Error(`service ${ref.namespace}/${ref.name} of a programmed route is unknown`);
    }
    const revision = service.metadata.labels?.[revisionLabel];
    const revisionKey = `${ref.namespace}/${revision ?? ''}`;
    const name = `${ref.namespace}/${ref.name}`;
    return backendConfig(key, {
      service,
      port: ref.port,
      // Endpoints of a revision's Service may be this gateway's own; its pods are what requests go to.
      slices: revision === undefined ? this.#slices.byIndex('service', name) : [],
      pods: revision === undefined ? [] : this.#pods.byIndex('revision', revisionKey),
      revision: revision === undefined ? undefined : this.#revisions.get(ref.namespace, revision),
      pod: (namespace, podName) => this.#pods.get(namespace, podName),
    });
  }
}

/** The backend of a Service that has gone: it comes again where its revision is still there, and does not where that has gone too. */
function withoutService(known: BackendConfig, hasRevision: boolean): BackendConfig {
  return { ...known, pods: [], gone: known.isRevision && !hasRevision };
}

const sameJson = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
