import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Service } from '#apis/core/v1/service.ts';
import { parseDial } from '#apis/dormouse/dial.ts';
import { dialAnnotation } from '#apis/dormouse/names.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import type { Clock } from '#core/clock.ts';
import type { Logger } from '#core/logger.ts';
import {
  hasHostPort,
  hostPortFronts,
  serviceFronts,
  type Target,
  type ServiceSources,
  onServiceChange,
} from '#node/services/service-fronts.ts';

export interface ServiceRelayOptions extends ServiceSources {
  readonly clock: Clock;
  readonly logger: Logger;
}

const batchMs = 20;
const maxConnections = 1024;

/**
 * Node ports and load balancers' loopback addresses by passing connections on, where the kernel cannot be asked to: without nft, or without
 * root. TCP only, at most 1,024 connections a port. A pod that is reached through a socket of its own answers on the ports it declares.
 * A port that is taken is left out, with a warning, and tried again after the next change. Disposing of it ends every connection.
 */
export function startServiceRelay(options: ServiceRelayOptions): AsyncDisposable {
  return new ServiceRelay(options);
}

/** What a cache needs to keep of a Service for the relay: most have no place here, and only their names stay. */
export function keptByRelay<T extends KubeObject>(object: T): T {
  const { metadata, spec } = object as KubeObject as Service;
  const { name, namespace, uid, resourceVersion } = metadata;
  const slim = { metadata: { name, namespace, uid, resourceVersion } } as KubeObject as T;
  return spec?.type === 'NodePort' || spec?.type === 'LoadBalancer' ? { ...object, ...slim } : slim;
}

interface Listener {
  readonly server: Server;
  readonly sockets: Set<Socket>;
  targets: readonly Target[];
  namespace: string;
}

class ServiceRelay implements AsyncDisposable {
  readonly #options: ServiceRelayOptions;
  readonly #listeners = new Map<string, Listener>();
  readonly #stop: () => void;
  #cancel: (() => void) | undefined;

  constructor(options: ServiceRelayOptions) {
    this.#options = options;
    this.#stop = onServiceChange(options, () => this.#schedule());
    this.#schedule();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop();
    this.#cancel?.();
    await Promise.all([...this.#listeners.keys()].map((key) => this.#close(key)));
  }

  #schedule(): void {
    this.#cancel ??= this.#options.clock.after(batchMs, () => {
      this.#cancel = undefined;
      this.#apply();
    });
  }

  #apply(): void {
    const wanted = this.#wanted();
    for (const key of this.#listeners.keys()) if (!wanted.has(key)) void this.#close(key);
    for (const [key, place] of wanted) {
      const listener = this.#listeners.get(key) ?? this.#open(key, place.host, place.port);
      listener.targets = place.targets;
      listener.namespace = place.namespace;
    }
  }

  /** `host:port` → what answers there. */
  #wanted(): Map<string, { host: string; port: number; targets: readonly Target[]; namespace: string }> {
    const { services, endpointSlices, pods, hostServices, listen } = this.#options;
    const wanted = new Map<string, { host: string; port: number; targets: readonly Target[]; namespace: string }>();
    for (const service of services.list()) {
      const namespace = service.metadata.namespace ?? '';
      for (const front of serviceFronts([service], endpointSlices.list(namespace), hostServices)) {
        if (front.protocol !== 'tcp' || front.targets.length === 0) continue;
        const own = front.onHost ? [] : front.addresses.filter((address) => address.startsWith('127.'));
        const places = own.map((host) => ({ host, port: front.port }));
        if (front.nodePort !== 0) places.push({ host: listen, port: front.nodePort });
        for (const place of places) wanted.set(`${place.host}:${place.port}`, { ...place, targets: front.targets, namespace });
      }
    }
    for (const pod of pods.list().filter(hasHostPort)) {
      const namespace = pod.metadata.namespace ?? '';
      for (const { protocol, nodePort: port, nodeAddress: host = listen, targets } of hostPortFronts([pod])) {
        if (protocol === 'tcp') wanted.set(`${host}:${port}`, { host, port, targets, namespace });
      }
    }
    return wanted;
  }

  #open(key: string, host: string, port: number): Listener {
    const server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(listener, socket));
    const listener: Listener = { server, sockets: new Set(), targets: [], namespace: '' };
    server.maxConnections = maxConnections;
    server.on('error', (error) => {
      this.#options.logger.warn('a service port cannot be listened on', { host, port, error: error.message });
      if (this.#listeners.get(key) === listener) this.#listeners.delete(key);
    });
    server.listen(port, host);
    this.#listeners.set(key, listener);
    return listener;
  }

  #accept({ targets, namespace, sockets }: Listener, socket: Socket): void {
    const target = targets[Math.floor(Math.random() * targets.length)];
    if (target === undefined) return void socket.destroy();
    const pod = target.pod === undefined ? undefined : this.#options.pods.get(namespace, target.pod);
    const upstream = connect({
      ...(parseDial(pod?.metadata.annotations?.[dialAnnotation], target.port) ?? { host: target.ip, port: target.port }),
      allowHalfOpen: true,
    });
    for (const [one, other] of [
      [socket, upstream],
      [upstream, socket],
    ] as const) {
      sockets.add(one);
      one.setNoDelay(true);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        sockets.delete(one);
        if (one.errored !== null) other.destroy();
      });
      one.pipe(other);
    }
  }

  #close(key: string): Promise<void> {
    const listener = this.#listeners.get(key);
    this.#listeners.delete(key);
    if (listener === undefined) return Promise.resolve();
    for (const socket of listener.sockets) socket.destroy();
    return new Promise((resolve) => listener.server.close(() => resolve()));
  }
}
