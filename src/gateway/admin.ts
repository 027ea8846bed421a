import type { AddressInfo } from 'node:net';
import { createServer, targetOf } from '#core/node-http.ts';
import { listening } from '#core/streams.ts';
import type { Proxy } from '#gateway/proxy/proxy.ts';
import { exposeProxy } from '#gateway/stats/exposition.ts';

export interface AdminOptions {
  readonly host?: string;
  readonly port: number;
  /** An inherited listening descriptor instead of host and port. */
  readonly fd?: number;
  readonly proxy: Proxy;
  /** Metrics of other parts of the process, in Prometheus text form. */
  readonly moreMetrics: () => Promise<string>;
  /** Whether a pod (`namespace/name`) may stop: for preStop hooks on Kubernetes. */
  readonly isDrained: (podKey: string) => boolean;
}

export interface Admin {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * The admin listener: `/healthz` (503 while draining), `/metrics`, and `/drain?pod=namespace/name`, which answers 200 when the
 * gateway has no request on the pod and will send none, else 503 with Retry-After. For loopback or the pod network only.
 */
export async function startAdmin(options: AdminOptions): Promise<Admin> {
  const server = createServer((request, response) => {
    void answer(options, targetOf(request)).then(({ status, body, type = 'text/plain; charset=utf-8' }) => {
      response.writeHead(status, { 'content-type': type, ...(status === 503 ? { 'retry-after': '1' } : {}) });
      response.end(request.method === 'HEAD' ? undefined : body);
    });
  });
  const { fd, port, host = '127.0.0.1' } = options;
  await listening(server, fd === undefined ? { port, host } : { fd });
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function answer(options: AdminOptions, { pathname, searchParams }: URL): Promise<{ status: number; body: string; type?: string }> {
  switch (pathname) {
    case '/healthz':
      return options.proxy.draining ? { status: 503, body: 'shutting down\n' } : { status: 200, body: 'ok\n' };
    case '/metrics':
      return {
        status: 200,
        body: exposeProxy(options.proxy) + (await options.moreMetrics()),
        type: 'text/plain; version=0.0.4; charset=utf-8',
      };
    case '/drain': {
      const pod = searchParams.get('pod') ?? '';
      if (pod === '') return { status: 400, body: 'the parameter pod=namespace/name is missing\n' };
      return options.isDrained(pod) ? { status: 200, body: 'drained\n' } : { status: 503, body: 'requests are on the pod\n' };
    }
    default:
      return { status: 404, body: 'not found\n' };
  }
}
