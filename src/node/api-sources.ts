import { configMaps, type ConfigMap } from '#apis/core/v1/config-map.ts';
import { persistentVolumeClaims, type PersistentVolumeClaim } from '#apis/core/v1/persistent-volume-claim.ts';
import { persistentVolumes, type PersistentVolume } from '#apis/core/v1/persistent-volume.ts';
import type { Pod } from '#apis/core/v1/pod.ts';
import { secrets, type Secret } from '#apis/core/v1/secret.ts';
import { serviceAccounts } from '#apis/core/v1/service-account.ts';
import type { Service } from '#apis/core/v1/service.ts';
import type { Resource } from '#apis/definition.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import { ifThere } from '#apis/meta/status.ts';
import type { Client } from '#client/client.ts';
import type { Lister } from '#client/informer-types.ts';
import { sleep, type Clock } from '#core/clock.ts';
import type { Logger } from '#core/logger.ts';
import type { IssuedToken, PodSources, TokenRequest } from '#node/sources.ts';

export interface ApiSourcesOptions {
  readonly client: Client;
  readonly services: Lister<Service>;
  readonly clock: Clock;
  readonly logger: Logger;
}

const retryMs = 5_000;

/**
 * Reads what pods are made of from the API, always fresh. Watches exist only for objects that a running pod mounts, one an
 * object whoever mounts it, so that a node does not hold every Secret of the cluster in memory.
 */
export class ApiSources implements PodSources, AsyncDisposable {
  readonly #options: ApiSourcesOptions;
  readonly #watched = new Map<string, { readonly listeners: Set<() => void>; readonly stop: AbortController }>();

  constructor(options: ApiSourcesOptions) {
    this.#options = options;
  }

  configMap(namespace: string, name: string): Promise<ConfigMap | undefined> {
    return this.#get(configMaps, namespace, name);
  }

  secret(namespace: string, name: string): Promise<Secret | undefined> {
    return this.#get(secrets, namespace, name);
  }

  claim(namespace: string, name: string): Promise<PersistentVolumeClaim | undefined> {
    return this.#get(persistentVolumeClaims, namespace, name);
  }

  persistentVolume(name: string): Promise<PersistentVolume | undefined> {
    return this.#get(persistentVolumes, undefined, name);
  }

  services(namespace: string): readonly Service[] {
    return this.#options.services.list(namespace);
  }

  watchConfigMap(namespace: string, name: string, listener: () => void): () => void {
    return this.#watch(configMaps, namespace, name, listener);
  }

  watchSecret(namespace: string, name: string, listener: () => void): () => void {
    return this.#watch(secrets, namespace, name, listener);
  }

  async serviceAccountToken(pod: Pod, { audience, expirationSeconds }: TokenRequest): Promise<IssuedToken> {
    const { namespace, name, uid } = pod.metadata;
    const account = pod.spec?.serviceAccountName ?? 'default';
    const body = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: {
        audiences: audience === undefined ? [] : [audience],
        expirationSeconds,
        boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid },
      },
    };
    const answer = await this.#options.client.of(serviceAccounts).createSubresource(namespace, account, 'token', body);
    const status = (answer as { status?: { token?: string; expirationTimestamp?: string } }).status;
    if (status?.token === undefined) throw new Error(`the API server issued no token for service account ${account}`);
    return { token: status.token, expiresAtMs: Date.parse(status.expirationTimestamp ?? '') };
  }

  [Symbol.asyncDispose](): Promise<void> {
    for (const { stop } of this.#watched.values()) stop.abort();
    this.#watched.clear();
    return Promise.resolve();
  }

  async #get<T extends KubeObject>(resource: Resource<T>, namespace: string | undefined, name: string): Promise<T | undefined> {
    return ifThere(this.#options.client.of(resource).get(namespace, name));
  }

  #watch<T extends KubeObject>(resource: Resource<T>, namespace: string, name: string, listener: () => void): () => void {
    const key = `${resource.plural}/${namespace}/${name}`;
    let entry = this.#watched.get(key);
    if (entry === undefined) {
      entry = { listeners: new Set(), stop: new AbortController() };
      this.#watched.set(key, entry);
      void this.#follow(resource, namespace, name, entry.listeners, entry.stop.signal);
    }
    const { listeners, stop } = entry;
    // A function of its own per caller: two may hand in the same one.
    const notify = () => listener();
    listeners.add(notify);
    return () => {
      listeners.delete(notify);
      if (listeners.size > 0) return;
      stop.abort();
      this.#watched.delete(key);
    };
  }

  async #follow<T extends KubeObject>(
    resource: Resource<T>,
    namespace: string,
    name: string,
    listeners: ReadonlySet<() => void>,
    signal: AbortSignal,
  ): Promise<void> {
    const client = this.#options.client.of(resource);
    const fieldSelector = `metadata.name=${name}`;
    let seen: string | undefined;
    while (!signal.aborted) {
      try {
        const list = await client.list({ namespace, fieldSelector, signal });
        const version = list.items[0]?.metadata.resourceVersion ?? '';
        if (seen !== undefined && version !== seen) notifyAll(listeners);
        seen = version;
        const { resourceVersion } = list.metadata;
        for await (const event of client.watch({
          namespace,
          fieldSelector,
          signal,
          ...(resourceVersion === undefined ? {} : { resourceVersion }),
        })) {
          if (event.type === 'BOOKMARK') continue;
          seen = event.type === 'DELETED' ? '' : (event.object.metadata.resourceVersion ?? '');
          notifyAll(listeners);
        }
      } catch (error) {
        if (signal.aborted) return;
        this.#options.logger.debug('watch of a mounted object ended', { resource: resource.plural, namespace, name, error });
      }
      if (!signal.aborted) await sleep(this.#options.clock, retryMs, signal).catch(() => {});
    }
  }
}

function notifyAll(listeners: ReadonlySet<() => void>): void {
  for (const listener of listeners) listener();
}
