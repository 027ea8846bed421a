import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';
import type { TLSSocket } from 'node:tls';
import type { Pod } from '#apis/core/v1/pod.ts';
import type { Client } from '#client/client.ts';
import type { Lister } from '#client/informer-types.ts';
import type { Clock } from '#core/clock.ts';
import { errorText } from '#core/errors.ts';
import type { Logger } from '#core/logger.ts';
import type { Metrics } from '#core/metrics.ts';
import { STATUS_CODES, targetOf } from '#core/node-http.ts';
import { listening } from '#core/streams.ts';
import { AccessError, KubeletAccess } from '#node/kubelet-server/authorization.ts';
import { parseLogOptions } from '#node/kubelet-server/log-options.ts';
import { CpuRates, measurePods, nodeUsage, resourceMetrics, statsSummary } from '#node/kubelet-server/stats.ts';
import { serveUpgrade } from '#node/kubelet-server/streams.ts';
import { ProviderError, providerErrorCodes, type Provider } from '#node/provider.ts';
import { UpgradeError } from '#wire/upgrade.ts';

export interface KubeletServerSettings {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** PEM. */
  readonly certificate: string;
  readonly privateKey: string;
  /** PEM of the authority whose client certificates are accepted. */
  readonly clientAuthority: string;
}

export interface KubeletServerOptions {
  readonly settings: KubeletServerSettings;
  readonly client: Client;
  readonly provider: Provider;
  readonly pods: Lister<Pod>;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

export interface KubeletServer extends AsyncDisposable {
  readonly port: number;
}

/** Serves the kubelet API over HTTPS; every path but /healthz asks who is calling. Rejects when the port cannot be had. */
export async function startKubeletServer(options: KubeletServerOptions): Promise<KubeletServer> {
  const { settings } = options;
  const routes = new KubeletRoutes(options);
  const server = createServer(
    {
      cert: settings.certificate,
      key: settings.privateKey,
      ca: settings.clientAuthority,
      requestCert: true,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.2',
      requestTimeout: 0,
    },
    (request, response) => void routes.answer(request, response),
  );
  server.on('upgrade', (request: IncomingMessage, socket: TLSSocket, head: Buffer) => void routes.upgrade(request, socket, head));
  await listening(server, { host: settings.host, port: settings.port });
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      routes.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

class KubeletRoutes {
  readonly #options: KubeletServerOptions;
  readonly #access: KubeletAccess;
  readonly #rates = new CpuRates();
  readonly #life = new AbortController();
  readonly #startedAtMs: number;

  constructor(options: KubeletServerOptions) {
    this.#options = options;
    this.#access = new KubeletAccess(options);
    this.#startedAtMs = options.clock.now();
  }

  close(): void {
    this.#life.abort(new Error('the node agent is ending'));
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = targetOf(request);
    try {
      if (url.pathname === '/healthz') return text(response, 200, 'ok');
      await this.#check(request, url);
      await this.#dispatch(request, url, response);
    } catch (error) {
      if (response.headersSent) response.destroy();
      else text(response, statusOf(error), `${errorText(error)}\n`);
      if (statusOf(error) === 500) this.#options.logger.warn('kubelet request failed', { path: url.pathname, error });
    }
  }

  async upgrade(request: IncomingMessage, socket: TLSSocket, head: Buffer): Promise<void> {
    socket.on('error', () => {});
    const url = targetOf(request);
    try {
      await this.#check(request, url);
      const [kind = '', namespace = '', name = '', ...rest] = segments(url);
      // Kubernetes puts the uid between pod and container when it knows it.
      const container = rest.at(-1) ?? '';
      const pod = this.#pod(namespace, name);
      await serveUpgrade({
        request,
        socket,
        head,
        kind,
        uid: pod.metadata.uid ?? '',
        container,
        query: url.searchParams,
        signal: this.#life.signal,
        ...this.#options,
      });
    } catch (error) {
      const message = `${errorText(error)}\n`;
      const status = statusOf(error);
      socket.end(
        `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nContent-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(message)}\r\nConnection: close\r\n\r\n${message}`,
      );
    }
  }

  #check(request: IncomingMessage, url: URL): Promise<void> {
    const { method = 'GET', headers, socket } = request;
    return this.#access.check({ method, path: url.pathname, authorization: headers.authorization, socket: socket as TLSSocket });
  }

  async #dispatch(request: IncomingMessage, url: URL, response: ServerResponse): Promise<void> {
    const { provider, pods, nodeName, clock, metrics } = this.#options;
    const [first = '', second = ''] = segments(url);
    const path = `${first}/${second}`;
    if (first === 'containerLogs') return this.#logs(url, response);
    if (first === 'pods') return json(response, { kind: 'PodList', apiVersion: 'v1', metadata: {}, items: pods.list() });
    if (first === 'runningpods') {
      const running = new Set(provider.getPods());
      const items = pods.list().filter((pod) => running.has(pod.metadata.uid ?? ''));
      return json(response, { kind: 'PodList', apiVersion: 'v1', metadata: {}, items });
    }
    if (path === 'stats/summary' || path === 'metrics/resource') {
      const measured = await measurePods(pods.list(), provider);
      const node = nodeUsage(clock.now(), this.#startedAtMs);
      if (first === 'stats') return json(response, statsSummary(nodeName, node, measured, this.#rates));
      return text(response, 200, resourceMetrics(node, measured), 'text/plain; version=0.0.4; charset=utf-8');
    }
    if (path === 'metrics/') return text(response, 200, await metrics.expose(), 'text/plain; version=0.0.4; charset=utf-8');
    if (first === 'exec' || first === 'attach' || first === 'portForward')
      throw new ProviderError('InvalidInput', 'Upgrade request required');
    text(response, 404, '404 page not found\n');
    request.resume();
  }

  async #logs(url: URL, response: ServerResponse): Promise<void> {
    const { provider, clock } = this.#options;
    const [, namespace = '', name = '', container = ''] = segments(url);
    const pod = this.#pod(namespace, name);
    if (provider.getContainerLogs === undefined) throw new ProviderError('NotSupported', 'this node does not provide logs');
    const gone = new AbortController();
    response.once('close', () => gone.abort(new Error('the client went away')));
    const options = parseLogOptions(url.searchParams, clock.now(), AbortSignal.any([gone.signal, this.#life.signal]));
    const log = await provider.getContainerLogs({ uid: pod.metadata.uid ?? '', container }, options);
    response.writeHead(200, { 'content-type': 'text/plain', 'transfer-encoding': 'chunked' });
    response.flushHeaders();
    // The reader going away, or the agent ending, is how a followed log normally ends.
    await pipeline(log, response).catch((error: unknown) => {
      if (!options.signal.aborted) throw error;
    });
  }

  #pod(namespace: string, name: string): Pod {
    const pod = this.#options.pods.get(namespace, name);
    if (pod === undefined) throw new ProviderError('NotFound', `pod "${name}" not found in namespace "${namespace}"`);
    return pod;
  }
}

function segments(url: URL): string[] {
  return url.pathname.split('/').slice(1).map(decodeURIComponent);
}

function statusOf(error: unknown): number {
  if (error instanceof ProviderError) return providerErrorCodes[error.kind];
  if (error instanceof AccessError || error instanceof UpgradeError) return error.status;
  if (error instanceof URIError) return 400;
  return 500;
}

function text(response: ServerResponse, status: number, body: string, type = 'text/plain; charset=utf-8'): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

function json(response: ServerResponse, body: unknown): void {
  text(response, 200, JSON.stringify(body), 'application/json');
}
