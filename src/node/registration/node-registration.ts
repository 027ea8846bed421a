import { leases, type Lease } from '#apis/coordination/v1/lease.ts';
import type { NodeStatus } from '#apis/core/v1/node-status.ts';
import { nodes, type Node } from '#apis/core/v1/node.ts';
import { isReason } from '#apis/meta/status.ts';
import type { Client } from '#client/client.ts';
import { sleep, type Clock } from '#core/clock.ts';
import { errorText } from '#core/errors.ts';
import type { Logger } from '#core/logger.ts';
import { semanticEqual } from '#machinery/semantic-equality.ts';
import { newNode, nodeLabels, nodeStatus, type NodeSettings } from '#node/registration/node-object.ts';
import type { Machine, Pressure } from '#node/registration/machine.ts';

export interface NodeRegistrationOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly settings: NodeSettings;
  readonly machine: Machine;
  readonly pressure: () => Promise<Pressure>;
  /** Writes an event about the node. */
  readonly event: (type: 'Normal' | 'Warning', reason: string, message: string) => void;
  /** Undefined while pods can be run here, else why not. Asked at every heartbeat; a throw counts as not ready. */
  readonly health: () => Promise<string | undefined>;
}

const leaseNamespace = 'kube-node-lease';
const leaseSeconds = 40;
const heartbeatMs = 10_000;
/** An unchanged status is written this often all the same. */
const statusEveryMs = 300_000;
const retryMs = 1_000;

/**
 * Keeps the node object and its lease up to date: created, and created again when somebody deletes them; the lease every 10 s,
 * the status when it changes and every 5 minutes. While the node is not healthy the lease is not renewed.
 */
export class NodeRegistration {
  readonly #options: NodeRegistrationOptions;
  #lastStatusMs = Number.NEGATIVE_INFINITY;
  #wake: () => void = () => {};

  constructor(options: NodeRegistrationOptions) {
    this.#options = options;
  }

  /** Makes the node known and Ready; tries until it succeeds. */
  async register(signal: AbortSignal): Promise<void> {
    for (;;) {
      try {
        return await this.#beat();
      } catch (error) {
        signal.throwIfAborted();
        this.#options.logger.warn('node not registered yet', { error: errorText(error) });
        await sleep(this.#options.clock, retryMs, signal);
      }
    }
  }

  /** Heartbeats until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#options;
    while (!signal.aborted) {
      await this.#pause(signal);
      if (signal.aborted) return;
      try {
        await this.#beat();
      } catch (error) {
        logger.warn('node heartbeat failed', { error: errorText(error) });
        await sleep(clock, retryMs, signal).catch(() => {});
      }
    }
  }

  /** The node object was deleted or changed by somebody: looks at once. */
  poke(): void {
    this.#lastStatusMs = Number.NEGATIVE_INFINITY;
    this.#wake();
  }

  #pause(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.clock.after(heartbeatMs, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
      signal.addEventListener('abort', this.#wake, { once: true });
    });
  }

  async #beat(): Promise<void> {
    const { clock } = this.#options;
    const notReady = await this.#options.health().catch((error: unknown) => errorText(error));
    const node = await this.#ensureNode();
    await this.#writeStatus(node, notReady);
    if (notReady === undefined) await this.#renewLease(node, clock.now());
  }

  async #ensureNode(): Promise<Node> {
    const { client, settings, machine } = this.#options;
    const api = client.of(nodes);
    try {
      const node = await api.get(undefined, settings.nodeName);
      return await this.#refreshMetadata(node);
    } catch (error) {
      if (!isReason(error, 'NotFound')) throw error;
      this.#lastStatusMs = Number.NEGATIVE_INFINITY;
      return api.create(newNode(settings, machine));
    }
  }

  /** Labels and annotations that are ours are kept as they should be; all others are left alone. */
  async #refreshMetadata(node: Node): Promise<Node> {
    const { client, settings, machine } = this.#options;
    const wanted = newNode(settings, machine);
    const labels = missing(node.metadata.labels ?? {}, nodeLabels(settings, machine));
    const annotations = missing(node.metadata.annotations ?? {}, wanted.metadata.annotations ?? {});
    if (Object.keys(labels).length + Object.keys(annotations).length === 0) return node;
    return client.of(nodes).patch(undefined, settings.nodeName, { type: 'merge', body: { metadata: { labels, annotations } } });
  }

  async #writeStatus(node: Node, notReady: string | undefined): Promise<void> {
    const { client, clock, settings, machine } = this.#options;
    const now = clock.now();
    const pressure = await this.#options.pressure();
    const previous = node.status ?? {};
    const wanted = nodeStatus(settings, machine, { pressure, notReady, now, previous });
    const isDue = now - this.#lastStatusMs >= statusEveryMs;
    if (!isDue && semanticEqual(withoutHeartbeats({ ...previous, ...wanted }), withoutHeartbeats(previous))) return;
    await client.of(nodes).patch(undefined, settings.nodeName, { type: 'merge', body: { status: wanted } }, { subresource: 'status' });
    this.#lastStatusMs = now;
    this.#tellChanges(previous, wanted);
  }

  /** Events of conditions that have changed, in a kubelet's words. */
  #tellChanges(previous: NodeStatus, present: NodeStatus): void {
    const before = new Map((previous.conditions ?? []).map(({ type, status }) => [type, status]));
    for (const { type, status } of present.conditions ?? []) {
      const reason = conditionEvents[type]?.[status === 'True' ? 0 : 1];
      const was = before.get(type);
      if (reason === undefined || was === undefined || was === status) continue;
      this.#options.event('Normal', reason, `Node ${this.#options.settings.nodeName} status is now: ${reason}`);
    }
  }

  async #renewLease(node: Node, now: number): Promise<void> {
    const { client, settings } = this.#options;
    const api = client.of(leases);
    const renewTime = new Date(now).toISOString().replace('Z', '000Z');
    const spec = { holderIdentity: settings.nodeName, leaseDurationSeconds: leaseSeconds, renewTime };
    try {
      await api.patch(leaseNamespace, settings.nodeName, { type: 'merge', body: { spec } });
    } catch (error) {
      if (!isReason(error, 'NotFound')) throw error;
      const owner = { apiVersion: 'v1', kind: 'Node', name: settings.nodeName, uid: node.metadata.uid ?? '' };
      const metadata = { namespace: leaseNamespace, name: settings.nodeName, ownerReferences: [owner] };
      const lease: Lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec };
      await api.create(lease);
    }
  }
}

/** What is said when a condition becomes true, and when it does not hold any more. */
const conditionEvents: Readonly<Record<string, readonly [string, string]>> = {
  MemoryPressure: ['NodeHasInsufficientMemory', 'NodeHasSufficientMemory'],
  DiskPressure: ['NodeHasDiskPressure', 'NodeHasNoDiskPressure'],
  PIDPressure: ['NodeHasInsufficientPID', 'NodeHasSufficientPID'],
};

function missing(present: Readonly<Record<string, string>>, wanted: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(wanted).filter(([key, value]) => present[key] !== value));
}

function withoutHeartbeats(status: NodeStatus): NodeStatus {
  return { ...status, conditions: (status.conditions ?? []).map((condition) => ({ ...condition, lastHeartbeatTime: '' })) };
}
