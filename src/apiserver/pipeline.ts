import type { UserInfo } from '#apis/definition.ts';
import { StatusError } from '#apis/meta/status.ts';
import { apiError } from '#apiserver/errors.ts';
import { authenticate } from '#apiserver/auth/authenticator.ts';
import { deniedError, systemMasters, type Attributes, type Authorizer } from '#apiserver/auth/authorizer.ts';
import { impersonated } from '#apiserver/auth/impersonation.ts';
import type { ServiceAccountTokens } from '#apiserver/auth/service-account-tokens.ts';
import { type ResourceCall, type ServerContext } from '#apiserver/context.ts';
import type { InFlight } from '#apiserver/in-flight.ts';
import type { ApiServerMetrics } from '#apiserver/metrics.ts';
import type { PathRoutes } from '#apiserver/path-routes.ts';
import { parseRequest, type RequestInfo, type ResourceInfo } from '#apiserver/request-info.ts';
import type { ApiRequest, ApiResponse } from '#apiserver/request.ts';
import { plainResponse } from '#apiserver/rest/commit.ts';
import { dispatch, type Routes } from '#apiserver/rest/dispatch.ts';
import { rfc3339 } from '#core/clock.ts';
import { CompactedError, StorageFailure } from '#storage/storage.ts';

export interface PipelineParts {
  readonly context: ServerContext;
  readonly authorizer: Authorizer;
  readonly tokens: ServiceAccountTokens;
  readonly inFlight: InFlight;
  readonly metrics: ApiServerMetrics;
  readonly routes: Routes;
  readonly paths: PathRoutes;
}

/** Subresources that stream: they hold no place among the requests in flight. */
const streaming = new Set(['log', 'exec', 'attach', 'portforward', 'proxy']);

/** The way of every request: identify, limit, authorize, carry out, and turn whatever fails into a metav1.Status. */
export class Pipeline {
  readonly #parts: PipelineParts;

  constructor(parts: PipelineParts) {
    this.#parts = parts;
  }

  /** Never rejects. */
  async handle(request: ApiRequest): Promise<ApiResponse> {
    const { clock } = this.#parts.context;
    const started = clock.monotonic();
    let info: RequestInfo | undefined;
    let response: ApiResponse;
    try {
      info = parseRequest(request.method, request.path, request.query);
      response = await this.#answer(request, info);
    } catch (error) {
      response = this.#failure(error, request);
    }
    this.#record(info, response, clock.monotonic() - started);
    return response;
  }

  async #answer(request: ApiRequest, info: RequestInfo): Promise<ApiResponse> {
    const { tokens, authorizer, inFlight, paths } = this.#parts;
    const user = impersonated(await authenticate(request, tokens), request.headers, authorizer);
    if (isStreaming(info, paths, request)) return this.#authorized(request, info, user);
    const leave = inFlight.enter(request.method, user.groups.includes(systemMasters));
    try {
      return await this.#authorized(request, info, user);
    } finally {
      leave();
    }
  }

  async #authorized(request: ApiRequest, info: RequestInfo, user: UserInfo): Promise<ApiResponse> {
    const { paths, authorizer } = this.#parts;
    const route = info.kind === 'path' ? paths.find(info.path) : paths.find(request.path);
    if (route?.public !== true) {
      const attributes = attributesOf(
        route === undefined || route.asResource === true ? info : { kind: 'path', path: request.path, verb: request.method.toLowerCase() },
        user,
      );
      const decision = authorizer.authorize(attributes);
      if (!decision.allowed) throw deniedError(attributes, decision);
    }
    if (route !== undefined) {
      if (!route.methods.includes(request.method)) throw apiError('methodNotAllowed');
      return route.handle(request, user);
    }
    if (info.kind === 'path') return paths.answer(request);
    return this.#resource(request, info, user);
  }

  async #resource(request: ApiRequest, info: ResourceInfo, user: UserInfo): Promise<ApiResponse> {
    const { context, routes } = this.#parts;
    const served = context.registry.find(info.group, info.version, info.plural);
    if (served === undefined) throw apiError('pathNotFound');
    const warnings = served.version.deprecationWarning === undefined ? [] : [served.version.deprecationWarning];
    const call: ResourceCall = { context, request, info, served, user, now: rfc3339(context.clock.now()), warnings };
    const response = await dispatch(call, routes);
    if (warnings.length === 0) return response;
    return { ...response, headers: { ...response.headers, warning: warningHeaders(warnings) } };
  }

  #failure(error: unknown, request: ApiRequest): ApiResponse {
    const status = asStatusError(error);
    if (status.code >= 500 && !request.signal.aborted) {
      // 503 and 504: not now (no endpoints, still starting, too slow); what is wrong for good is the other ones.
      const level = status.code === 503 || status.code === 504 ? 'warn' : 'error';
      this.#parts.context.logger[level]('request failed', { method: request.method, path: request.path, error });
    }
    const seconds = status.details?.retryAfterSeconds;
    const response = plainResponse(status.toStatus(), status.code);
    return seconds === undefined ? response : { ...response, headers: { 'retry-after': String(seconds) } };
  }

  #record(info: RequestInfo | undefined, { status, body }: ApiResponse, elapsedMs: number): void {
    const { metrics } = this.#parts;
    const resource = info?.kind === 'resource' ? info : undefined;
    // A 404 may be for a path somebody made up: it must not become a time series of its own.
    const known =
      status !== 404 &&
      resource !== undefined &&
      this.#parts.context.registry.find(resource.group, resource.version, resource.plural) !== undefined;
    const verb = info?.verb ?? 'unknown';
    const plural = known ? resource.plural : '';
    const labels = { verb, group: known ? resource.group : '', resource: plural, subresource: known ? resource.subresource : '' };
    metrics.requests.inc({ ...labels, code: String(status) });
    if (body.kind === 'watch') metrics.watches.inc({ resource: plural });
    else if (body.kind !== 'stream' && body.kind !== 'upgrade') metrics.duration.observe({ verb, resource: plural }, elapsedMs / 1000);
  }
}

function isStreaming(info: RequestInfo, paths: PathRoutes, request: ApiRequest): boolean {
  if (info.kind === 'resource') return info.verb === 'watch' || streaming.has(info.subresource) || paths.find(request.path) !== undefined;
  return paths.find(info.path) !== undefined;
}

function attributesOf(info: RequestInfo, user: UserInfo): Attributes {
  if (info.kind === 'path') {
    return { user, verb: info.verb, group: '', version: '', resource: '', subresource: '', namespace: '', name: '', path: info.path };
  }
  const { verb, group, version, plural, subresource, namespace, name } = info;
  return { user, verb, group, version, resource: plural, subresource, namespace, name };
}

/** RFC 7234 §5.5 with code 299, as kubectl prints them; each text once, control characters gone. */
function warningHeaders(warnings: readonly string[]): readonly string[] {
  const clean = warnings.map((text) => text.replaceAll(/[^\x20-\x7e]/g, ' ').slice(0, 1024));
  return [...new Set(clean)].slice(0, 20).map((text) => `299 - "${text.replaceAll(/[\\"]/g, (one) => `\\${one}`)}"`);
}

function asStatusError(error: unknown): StatusError {
  if (error instanceof StatusError) return error;
  if (error instanceof StorageFailure) return apiError('storageUnavailable', error.message, error);
  if (error instanceof CompactedError) return apiError('expired', String(error.compactedRevision), error);
  return apiError('internal', error instanceof Error ? error.message : String(error), error);
}
