import { writeFile } from 'node:fs/promises';
import type { Engine } from '#apis/runtime/engine.ts';
import type { Clock } from '#core/clock.ts';
import { errorText } from '#core/errors.ts';
import type { Logger } from '#core/logger.ts';
import { applyNftScript } from '#core/nft.ts';
import { renderRules } from '#node/services/nft-rules.ts';
import { type ServiceSources, onServiceChange } from '#node/services/service-fronts.ts';

type PodNetwork = NonNullable<Engine['capabilities']['podNetwork']>;

export interface ServiceProxyOptions extends ServiceSources {
  /** Name of the nft table; carries the platform's id, so that two platforms do not meet. */
  readonly table: string;
  readonly podNetwork: PodNetwork;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Changes that come together are applied together. */
const batchMs = 20;
/** With thousands of Services the rules are long: making them and handing them over takes at most so much of the time. */
const timeShare = 0.2;
const retryMs = 5_000;

/**
 * Makes ClusterIPs and node ports reachable from pods and from this machine by rewriting destinations in the kernel (one nft table,
 * replaced as a whole). Rejects, saying why, when nft is missing or refuses. Disposing of it removes the table.
 */
export async function startServiceProxy(options: ServiceProxyOptions): Promise<AsyncDisposable> {
  const proxy = new NftServiceProxy(options);
  await proxy.apply();
  await admitLoopback(options.podNetwork.interfaceName);
  proxy.follow();
  return proxy;
}

/**
 * Lets connections from 127.0.0.1 be sent on to pods. The kernel would then also take packets for 127.0.0.0/8 from the bridge; the
 * table drops those, and is there before.
 */
async function admitLoopback(bridge: string): Promise<void> {
  await writeFile(`/proc/sys/net/ipv4/conf/${bridge}/route_localnet`, '1');
}

class NftServiceProxy implements AsyncDisposable {
  readonly #options: ServiceProxyOptions;
  #applied = '';
  #isScheduled = false;
  #tookMs = 0;
  #applying: Promise<void> = Promise.resolve();
  #stop = () => {};
  #isClosed = false;

  constructor(options: ServiceProxyOptions) {
    this.#options = options;
  }

  async apply(): Promise<void> {
    const { services, endpointSlices, pods, table, podNetwork, listen, hostServices, clock } = this.#options;
    const beganMs = clock.monotonic();
    const network = { podCidr: podNetwork.cidr, bridge: podNetwork.interfaceName, listen, hostServices };
    const rules = renderRules({ table, ...network, services: services.list(), slices: endpointSlices.list(), pods: pods.list() });
    if (rules !== this.#applied) await applyNftScript(rules);
    this.#applied = rules;
    this.#tookMs = clock.monotonic() - beganMs;
  }

  follow(): void {
    this.#stop = onServiceChange(this.#options, () => this.#schedule(batchMs));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#stop();
    await this.#applying;
    await applyNftScript(`table ip ${this.#options.table}\ndelete table ip ${this.#options.table}\n`).catch((error: unknown) =>
      this.#options.logger.warn('service rules not removed', { error }),
    );
  }

  #schedule(delayMs: number): void {
    if (this.#isScheduled || this.#isClosed) return;
    this.#isScheduled = true;
    this.#options.clock.after(Math.max(delayMs, this.#tookMs / timeShare), () => {
      this.#isScheduled = false;
      if (this.#isClosed) return;
      this.#applying = this.#applying
        .then(() => this.apply())
        .catch((error: unknown) => {
          this.#options.logger.warn('service rules not applied', { error: errorText(error) });
          this.#schedule(retryMs);
        });
    });
  }
}
