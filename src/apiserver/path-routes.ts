import { apiError } from '#apiserver/errors.ts';
import type { Discovery } from '#apiserver/discovery/discovery.ts';
import type { OpenApi } from '#apiserver/openapi/openapi.ts';
import { openApiVersion2 } from '#apiserver/openapi/version-2.ts';
import type { ApiRequest, ApiResponse, RawRoute } from '#apiserver/request.ts';
import { deepFreeze } from '#machinery/deep.ts';

/** Everything that is no resource: registered routes, and behind them discovery. */
export class PathRoutes {
  readonly #routes: RawRoute[] = [];
  readonly #discovery: Discovery;
  readonly #openApi: OpenApi;

  constructor(discovery: Discovery, openApi: OpenApi) {
    this.#discovery = discovery;
    this.#openApi = openApi;
  }

  add(route: RawRoute): void {
    this.#routes.push(route);
  }

  find(path: string): RawRoute | undefined {
    return this.#routes.find((route) => route.path === path || (route.path.endsWith('/') && path.startsWith(route.path)));
  }

  /** OpenAPI and discovery, or 404. A trailing slash makes no difference. */
  answer(request: ApiRequest): ApiResponse {
    const path = request.path.length > 1 && request.path.endsWith('/') ? request.path.slice(0, -1) : request.path;
    const accept = request.headers['accept'];
    const openApi = path === '/openapi/v2' ? openApiVersion2(accept) : this.#openApi.answer(path);
    if (openApi !== undefined) return openApi;
    const document = this.#discovery.answer(path, accept);
    if (document === undefined) throw apiError('pathNotFound');
    if (request.method !== 'GET' && request.method !== 'HEAD') throw apiError('methodNotAllowed');
    const object = deepFreeze(document.object);
    return { status: 200, headers: { vary: 'Accept' }, body: { kind: 'object', object, contentType: document.contentType } };
  }
}
