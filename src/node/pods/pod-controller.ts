import type { Pod } from '#apis/core/v1/pod.ts';
import type { Client } from '#client/client.ts';
import type { Informer } from '#client/informer-types.ts';
import type { Clock } from '#core/clock.ts';
import type { Logger } from '#core/logger.ts';
import type { Refusal } from '#node/pods/admission.ts';
import { PodStatusWriter } from '#node/pods/pod-status-writer.ts';
import { PodWorker } from '#node/pods/pod-worker.ts';
import type { Provider } from '#node/provider.ts';
import type { PodEvents } from '#node/sources.ts';

export interface PodControllerOptions {
  readonly provider: Provider;
  readonly client: Client;
  /** The pods bound to this node. */
  readonly pods: Informer<Pod>;
  readonly events: PodEvents;
  /** Why the node does not take a pod; undefined when it does. */
  readonly refusal: (pod: Pod) => Refusal | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Makes a provider run the pods that are bound to the node, and tells the API how they are. Pods of the provider that the API
 * does not know (any more) are ended.
 */
export class PodController implements AsyncDisposable {
  readonly #options: PodControllerOptions;
  readonly #workers = new Map<string, PodWorker>();
  readonly #status: PodStatusWriter;
  readonly #life = new AbortController();
  /** Uids that were found at the start. */
  #found: ReadonlySet<string> = new Set();
  #stop: (() => void)[] = [];

  constructor(options: PodControllerOptions) {
    this.#options = options;
    const { client, pods, clock, logger } = options;
    this.#status = new PodStatusWriter({ client, lister: pods, clock, logger, signal: this.#life.signal });
  }

  /** Takes over what runs and begins to follow the API; the informer must have synced. */
  async start(): Promise<void> {
    const { provider, pods, logger } = this.#options;
    this.#found = new Set(await provider.adopt(this.#life.signal));
    this.#stop.push(
      provider.onStatus((report) => {
        this.#workers.get(report.uid)?.reported(report);
        this.#status.write(report);
      }),
    );
    const known = new Set(pods.list().map((pod) => pod.metadata.uid));
    for (const uid of this.#found) {
      if (known.has(uid)) continue;
      logger.info('removing a pod that the API does not know', { uid });
      provider.deletePod(uid, 0).catch((error: unknown) => logger.error('orphan not removed', { uid, error }));
    }
    this.#stop.push(
      pods.on((event) => {
        if (event.type === 'deleted') this.#gone(event.object);
        else if (event.type === 'updated' && event.old.metadata.uid !== event.object.metadata.uid) {
          this.#gone(event.old);
          this.#observe(event.object);
        } else this.#observe(event.object);
      }),
    );
  }

  /** A request waits in this pod (`namespace/name`); nothing happens where it is not frozen, or not here. */
  wake(key: string): void {
    const [namespace, name = ''] = key.split('/');
    const uid = this.#options.pods.get(namespace, name)?.metadata.uid ?? '';
    this.#workers.get(uid)?.wake();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const stop of this.#stop) stop();
    this.#life.abort(new Error('the node agent is ending'));
    await this.#options.provider[Symbol.asyncDispose]();
  }

  #observe(pod: Pod): void {
    // The image of a process that runs outside the provider: there is nothing to start.
    if (pod.metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined) return;
    const uid = pod.metadata.uid ?? '';
    let worker = this.#workers.get(uid);
    if (worker === undefined) {
      const { provider, client, events, refusal, clock, logger } = this.#options;
      const shared = { provider, client, events, refusal, clock, logger, status: this.#status, signal: this.#life.signal };
      worker = new PodWorker(pod, { ...shared, isAdopted: this.#found.has(uid) });
      this.#workers.set(uid, worker);
    }
    worker.observe(pod);
  }

  #gone(pod: Pod): void {
    const uid = pod.metadata.uid ?? '';
    const worker = this.#workers.get(uid);
    void worker?.vanished().then(() => {
      this.#workers.delete(uid);
      this.#status.forget(uid);
    });
  }
}
