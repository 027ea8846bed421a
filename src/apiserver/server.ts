import type { KindDefinition } from '#apis/definition.ts';
import { isReason } from '#apis/meta/status.ts';
import { AdmissionChain, type AdmissionPlugin } from '#apiserver/admission/admission.ts';
import { defaultAdmission, type AdmissionConfig } from '#apiserver/admission/default-admission.ts';
import { RbacAuthorizer } from '#apiserver/auth/rbac-authorizer.ts';
import { foreignReview, reviewHandlers } from '#apiserver/auth/reviews.ts';
import { RoleAggregation } from '#apiserver/auth/role-aggregation.ts';
import { ServiceAccountTokens, type TokenKeys } from '#apiserver/auth/service-account-tokens.ts';
import { apiAudience } from '#apiserver/auth/authenticator.ts';
import { bootstrap, send } from '#apiserver/bootstrap.ts';
import { CustomKinds } from '#apiserver/custom/custom-kinds.ts';
import { definitionAdmission } from '#apiserver/custom/definition-admission.ts';
import { WatchCache } from '#apiserver/cache/watch-cache.ts';
import type { ServerContext } from '#apiserver/context.ts';
import { Discovery } from '#apiserver/discovery/discovery.ts';
import { SubresourceRegistry } from '#apiserver/discovery/subresources.ts';
import { apiError } from '#apiserver/errors.ts';
import { EventExpiry } from '#apiserver/event-expiry.ts';
import { healthRoutes } from '#apiserver/health.ts';
import { defaultInFlightLimits, InFlight, type InFlightLimits } from '#apiserver/in-flight.ts';
import { apiServerMetrics } from '#apiserver/metrics.ts';
import { OpenApi } from '#apiserver/openapi/openapi.ts';
import { PathRoutes } from '#apiserver/path-routes.ts';
import { Pipeline } from '#apiserver/pipeline.ts';
import { KindRegistry } from '#apiserver/registry/kind-registry.ts';
import type { ApiRequest, ApiResponse, ApiServer, RawRoute, ReviewResponder, SubresourceHandler } from '#apiserver/request.ts';
import { plainResponse } from '#apiserver/rest/commit.ts';
import type { ReviewHandler } from '#apiserver/rest/dispatch.ts';
import { builtinSubresources, foreignSubresource } from '#apiserver/rest/subresources.ts';
import { admissionPolicies } from '#apiserver/webhooks/admission-policies.ts';
import { resourceQuotaAdmission } from '#apiserver/admission/resource-quota.ts';
import { admissionWebhooks } from '#apiserver/webhooks/admission-webhooks.ts';
import type { Clock } from '#core/clock.ts';
import type { Logger } from '#core/logger.ts';
import type { Metrics } from '#core/metrics.ts';
import type { Storage } from '#storage/storage.ts';

export interface ApiServerOptions {
  readonly storage: Storage;
  /** Built-in kinds in discovery order. */
  readonly kinds: readonly KindDefinition[];
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Signs ServiceAccount tokens. */
  readonly tokenKeys: TokenKeys;
  /** `iss` of ServiceAccount tokens. */
  readonly issuer?: string;
  readonly limits?: InFlightLimits;
  readonly admission?: AdmissionConfig;
  /** Run after the server's own. */
  readonly plugins?: readonly AdmissionPlugin[];
  /** The storage watch has broken: the process has to be started again. */
  readonly onFatal?: (error: unknown) => void;
}

/** An API server on `storage`, ready: cache filled, bootstrap objects there, custom kinds served. */
export async function createApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const server = new EmbeddedApiServer(options);
  await server.start();
  return server;
}

class EmbeddedApiServer implements ApiServer {
  readonly #options: ApiServerOptions;
  readonly #subresources = new SubresourceRegistry();
  readonly #reviews = new Map<string, ReviewHandler>();
  readonly #logger: Logger;
  #paths: PathRoutes | undefined;
  #pipeline: Pipeline | undefined;
  #cache: WatchCache | undefined;
  #custom: CustomKinds | undefined;
  #aggregation: RoleAggregation | undefined;
  #expiry: EventExpiry | undefined;
  #ready = false;
  readonly #stopped = new AbortController();

  constructor(options: ApiServerOptions) {
    this.#options = options;
    this.#logger = options.logger.child({ component: 'apiserver' });
  }

  get ready(): boolean {
    return this.#ready;
  }

  async start(): Promise<void> {
    const { storage, clock, metrics, kinds } = this.#options;
    const cache = await WatchCache.open(storage, (error) => this.#fail(error));
    this.#cache = cache;
    const registry = new KindRegistry(kinds);
    const admission = new AdmissionChain([]);
    const context: ServerContext = { storage, cache, registry, admission, clock, logger: this.#logger };
    const authorizer = new RbacAuthorizer(cache);
    const tokens = await ServiceAccountTokens.open(cache, clock, this.#options.issuer ?? apiAudience, this.#options.tokenKeys);
    const hooks = { ensureDefaultAccount: (namespace: string) => this.#ensureDefaultAccount(namespace) };
    const plugins = [
      definitionAdmission(registry),
      ...defaultAdmission(context, authorizer, hooks, this.#options.admission),
      ...(this.#options.plugins ?? []),
      admissionPolicies(context),
      admissionWebhooks(context),
      // Last: nothing may be taken for what somebody else refuses.
      resourceQuotaAdmission(context),
    ];
    for (const plugin of plugins) admission.add(plugin);
    for (const subresource of builtinSubresources(tokens)) this.#subresources.add(subresource);
    const paths = new PathRoutes(new Discovery(registry, this.#subresources), new OpenApi(registry, this.#subresources));
    this.#paths = paths;
    for (const route of healthRoutes(
      () => this.#ready,
      () => !this.#stopped.signal.aborted,
    ))
      paths.add(route);
    const inFlight = new InFlight(this.#options.limits ?? defaultInFlightLimits);
    for (const [kind, handler] of reviewHandlers(authorizer, tokens)) this.#reviews.set(kind, handler);
    const routes = { subresources: this.#subresources, reviews: this.#reviews };
    this.#pipeline = new Pipeline({ context, authorizer, tokens, inFlight, metrics: apiServerMetrics(metrics), routes, paths });
    this.#custom = new CustomKinds(context, this.#pipeline);
    await bootstrap(context, this.#pipeline);
    this.#aggregation = new RoleAggregation(context, this.#pipeline);
    await this.#aggregation.settle();
    this.#expiry = new EventExpiry(context);
    this.#ready = true;
    this.#logger.info('serving', { revision: cache.revision, kinds: registry.definitions().length });
  }

  async handle(request: ApiRequest): Promise<ApiResponse> {
    if (this.#pipeline === undefined || this.#stopped.signal.aborted) {
      const status = apiError('notReady');
      return plainResponse(status.toStatus(), status.code);
    }
    const signal = AbortSignal.any([request.signal, this.#stopped.signal]);
    return this.#pipeline.handle({ ...request, signal });
  }

  addSubresource(handler: SubresourceHandler): void {
    this.#subresources.add(foreignSubresource(handler));
  }

  addReview(responder: ReviewResponder): void {
    this.#reviews.set(`${responder.group}/${responder.plural}`, foreignReview(responder));
  }

  addRoute(route: RawRoute): void {
    this.#paths?.add(route);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ready = false;
    this.#stopped.abort();
    this.#custom?.[Symbol.dispose]();
    this.#aggregation?.[Symbol.dispose]();
    this.#expiry?.[Symbol.dispose]();
    await this.#cache?.[Symbol.asyncDispose]();
  }

  async #ensureDefaultAccount(namespace: string): Promise<void> {
    const pipeline = this.#pipeline;
    const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace } };
    try {
      if (pipeline !== undefined) await send(pipeline, 'POST', `/api/v1/namespaces/${namespace}/serviceaccounts`, account);
    } catch (error) {
      if (!isReason(error, 'AlreadyExists')) throw error;
    }
    await this.#cache?.fresh();
  }

  #fail(error: unknown): void {
    if (this.#stopped.signal.aborted) return;
    this.#ready = false;
    this.#logger.error('storage watch has ended', { error });
    this.#options.onFatal?.(error);
  }
}
