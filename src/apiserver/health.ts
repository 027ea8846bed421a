import { kubernetesMinor, kubernetesVersion } from '#apis/dormouse/version.ts';
import { apiError } from '#apiserver/errors.ts';
import type { ApiResponse, RawRoute } from '#apiserver/request.ts';

function text(status: number, body: string): ApiResponse {
  return { status, headers: {}, body: { kind: 'text', text: body, contentType: 'text/plain; charset=utf-8' } };
}

/** `/livez`, `/readyz`, `/healthz` and `/version`, for everybody. */
export function healthRoutes(isReady: () => boolean, isAlive: () => boolean): RawRoute[] {
  const methods = ['GET', 'HEAD'];
  const check = (path: string, healthy: () => boolean): RawRoute => ({
    path,
    methods,
    public: true,
    handle: ({ query }) => Promise.resolve(report(path.slice(1).replace('/', ''), healthy(), query.has('verbose'))),
  });
  return [
    check('/livez', isAlive),
    check('/livez/', isAlive),
    check('/readyz', isReady),
    check('/readyz/', isReady),
    check('/healthz', isReady),
    check('/healthz/', isReady),
    { path: '/version', methods, public: true, handle: () => Promise.resolve(versionResponse()) },
    { path: '/version/', methods, public: true, handle: async ({ path }) => belowVersion(path) },
  ];
}

/** There is nothing below it, but it may be written with a slash at its end. */
function belowVersion(path: string): ApiResponse {
  if (path !== '/version/') throw apiError('pathNotFound');
  return versionResponse();
}

function report(name: string, healthy: boolean, verbose: boolean): ApiResponse {
  if (!verbose) return healthy ? text(200, 'ok') : text(500, `[-]${name} failed\n`);
  const mark = healthy ? '[+]storage ok\n' : '[-]storage failed: not ready\n';
  return text(healthy ? 200 : 500, `${mark}${name} check ${healthy ? 'passed' : 'failed'}\n`);
}

function versionResponse(): ApiResponse {
  const object = {
    major: '1',
    minor: String(kubernetesMinor),
    gitVersion: kubernetesVersion,
    gitCommit: '',
    gitTreeState: 'clean',
    buildDate: '1970-01-01T00:00:00Z',
    goVersion: `node${process.versions.node}`,
    compiler: 'v8',
    platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
  };
  return { status: 200, headers: {}, body: { kind: 'object', object, contentType: 'application/json' } };
}
