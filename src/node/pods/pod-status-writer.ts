import { isFinished } from '#apis/core/v1/pod-state.ts';
import { dialAnnotation } from '#apis/dormouse/names.ts';
import type { PodStatus } from '#apis/core/v1/pod-status.ts';
import { pods, type Pod } from '#apis/core/v1/pod.ts';
import { isReason } from '#apis/meta/status.ts';
import type { Client } from '#client/client.ts';
import type { Lister } from '#client/informer-types.ts';
import { backoffMs } from '#core/async.ts';
import { sleep, type Clock } from '#core/clock.ts';
import type { Logger } from '#core/logger.ts';
import { semanticEqual } from '#machinery/semantic-equality.ts';
import type { PodReport } from '#node/provider.ts';

export interface StatusWriterOptions {
  readonly client: Client;
  readonly lister: Lister<Pod>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** Conditions of a pod that this agent owns; all others belong to somebody else and are kept. */
const ownConditions: ReadonlySet<string> = new Set([
  'PodReadyToStartContainers',
  'Initialized',
  'Ready',
  'ContainersReady',
  'PodScheduled',
]);

/**
 * How long a pod's steps on its way to ready wait for the next one: most programs listen within that time, and the pod is ready then. The
 * more pods are on their way, the longer each takes, and the dearer it is to tell of every step.
 */
const settleMs = 500;
const settleMsPerPod = 75;
const longestSettleMs = 10_000;

interface Entry {
  pending: PodReport | undefined;
  last: PodStatus | undefined;
  dial: string | undefined;
  work: Promise<void>;
  /** Ends the wait of a report that others could follow at once. */
  hurry: PromiseWithResolvers<void>;
}

/**
 * Brings what providers report to the API: at most one write of a pod at a time, always the newest report, nothing when nothing
 * changed. What others act on (ready, no longer ready, ended) is written at once; the steps before may be passed over, since each write
 * is work for everybody who watches pods, at the very moment when the pod needs the machine. A write that fails is tried again until it
 * succeeds, a newer one replaces it, or the pod is gone.
 */
export class PodStatusWriter {
  readonly #options: StatusWriterOptions;
  readonly #entries = new Map<string, Entry>();
  /** Pods whose next step is waited for. */
  #settling = 0;

  constructor(options: StatusWriterOptions) {
    this.#options = options;
  }

  write(report: PodReport): void {
    const entry = this.#entries.get(report.uid) ?? newEntry();
    this.#entries.set(report.uid, entry);
    if (entry.pending === undefined) {
      const hurry = this.#settled();
      entry.hurry = hurry;
      entry.work = entry.work.then(() => hurry.promise).then(() => this.#send(report.uid));
    }
    entry.pending = report;
    if (isUrgent(report.status, entry.last)) entry.hurry.resolve();
  }

  /** Resolves when everything reported of the pod so far has been written or given up. */
  async flush(uid: string): Promise<void> {
    const entry = this.#entries.get(uid);
    entry?.hurry.resolve();
    await entry?.work;
  }

  /** The pod is gone from the API. */
  forget(uid: string): void {
    this.#entries.delete(uid);
  }

  /** Settles by itself after a while. */
  #settled(): PromiseWithResolvers<void> {
    const hurry = Promise.withResolvers<void>();
    this.#settling += 1;
    const afterMs = Math.min(longestSettleMs, settleMs + this.#settling * settleMsPerPod);
    const cancel = this.#options.clock.after(afterMs, () => hurry.resolve());
    void hurry.promise.then(() => {
      this.#settling -= 1;
      cancel();
    });
    return hurry;
  }

  async #send(uid: string): Promise<void> {
    const entry = this.#entries.get(uid);
    for (let failures = 0; entry?.pending !== undefined && !this.#options.signal.aborted; failures += 1) {
      const report = entry.pending;
      entry.pending = undefined;
      try {
        if (report.dial !== undefined && report.dial !== entry.dial) {
          await this.#writeDial(report, report.dial);
          entry.dial = report.dial;
        }
        entry.last = await this.#writeStatus(report, entry.last);
        return;
      } catch (error) {
        if (isReason(error, 'NotFound') || this.#options.signal.aborted) return;
        if (isReason(error, 'Conflict') && (await this.#isReplaced(report))) return;
        this.#options.logger.warn('pod status not written', { pod: report.name, namespace: report.namespace, error });
        entry.last = undefined;
        entry.pending ??= report;
        await sleep(this.#options.clock, backoffMs(failures, 50, 5_000), this.#options.signal).catch(() => {});
      }
    }
  }

  async #writeDial({ namespace, name, uid }: PodReport, dial: string): Promise<void> {
    const body = { metadata: { uid, annotations: { [dialAnnotation]: dial } } };
    await this.#options.client.of(pods).patch(namespace, name, { type: 'merge', body });
  }

  async #writeStatus({ namespace, name, uid, status }: PodReport, last: PodStatus | undefined): Promise<PodStatus> {
    const known = this.#options.lister.get(namespace, name);
    const current = known?.metadata.uid === uid ? known : undefined;
    const own = (status.conditions ?? []).filter(({ type, reason }) => ownConditions.has(type) || reason === 'TerminationByKubelet');
    const isOwn = (type: string) => ownConditions.has(type) || own.some((one) => one.type === type);
    const foreign = (current?.status?.conditions ?? []).filter(({ type }) => !isOwn(type));
    const wanted: PodStatus = { ...status, conditions: [...own, ...foreign] };
    const patch = statusPatch(last ?? current?.status ?? {}, wanted);
    if (patch === undefined) return wanted;
    // Lists are replaced as a whole: where others write conditions too, a write from an old state must be refused.
    const version = foreign.length > 0 || 'readinessGates' in (current?.spec ?? {}) ? current?.metadata.resourceVersion : undefined;
    const body = { metadata: { uid, ...(version === undefined ? {} : { resourceVersion: version }) }, status: patch };
    await this.#options.client.of(pods).patch(namespace, name, { type: 'merge', body }, { subresource: 'status' });
    return wanted;
  }

  /** Whether the name now belongs to another pod. */
  async #isReplaced({ namespace, name, uid }: PodReport): Promise<boolean> {
    const now = await this.#options.client
      .of(pods)
      .get(namespace, name)
      .catch((error: unknown) => (isReason(error, 'NotFound') ? undefined : { metadata: { uid } }));
    return now?.metadata.uid !== uid;
  }
}

function newEntry(): Entry {
  return { pending: undefined, last: undefined, dial: undefined, work: Promise.resolve(), hurry: Promise.withResolvers() };
}

function isUrgent(status: PodStatus, last: PodStatus | undefined): boolean {
  return isFinished({ status }) || runs(status) || (last !== undefined && runs(last));
}

function runs({ conditions = [] }: PodStatus): boolean {
  return conditions.some(({ type, status }) => type === 'ContainersReady' && status === 'True');
}

/** The top-level fields of the status that differ, null for those that are gone; undefined when there are none. */
function statusPatch(from: PodStatus, to: PodStatus): Record<string, unknown> | undefined {
  const patch: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(to)) if (!semanticEqual(from[key as keyof PodStatus], value)) patch[key] = value;
  for (const key of ['message', 'reason'] as const) if (from[key] !== undefined && to[key] === undefined) patch[key] = null;
  return Object.keys(patch).length === 0 ? undefined : patch;
}
