import { isReady, isFinished } from '#apis/core/v1/pod-state.ts';
import { freezeAnnotation } from '#apis/dormouse/names.ts';
import type { PodStatus } from '#apis/core/v1/pod-status.ts';
import { pods, type Pod } from '#apis/core/v1/pod.ts';
import { isReason } from '#apis/meta/status.ts';
import type { Client } from '#client/client.ts';
import { backoffMs, Mutex } from '#core/async.ts';
import { sleep, type Clock } from '#core/clock.ts';
import { errorText } from '#core/errors.ts';
import type { Logger } from '#core/logger.ts';
import { semanticEqual } from '#machinery/semantic-equality.ts';
import { graceEndMs, mustDrain, remainingSeconds } from '#node/pods/drain.ts';
import type { Refusal } from '#node/pods/admission.ts';
import type { PodStatusWriter } from '#node/pods/pod-status-writer.ts';
import type { PodReport, Provider } from '#node/provider.ts';
import type { PodEvents } from '#node/sources.ts';

/** How long a pod that was woken waits for its annotation to follow. */
const awakeMs = 10_000;

export interface WorkerOptions {
  /** An earlier agent ran the pod, and something of it was found. */
  readonly isAdopted: boolean;
  readonly provider: Provider;
  readonly client: Client;
  readonly status: PodStatusWriter;
  /** Why the node does not take the pod, if it was not here before. */
  readonly refusal: (pod: Pod) => Refusal | undefined;
  readonly events: PodEvents;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** Carries one pod (one uid) from its binding to this node to its removal from the API. Its steps never overlap. */
export class PodWorker {
  readonly #options: WorkerOptions;
  readonly #steps = new Mutex();
  #pod: Pod;
  #applied: Pod | undefined;
  #isFrozen = false;
  #isRefused = false;
  /** Monotonic. */
  #awakeUntilMs = 0;
  #everReady: boolean;
  #ending: Promise<void> | undefined;
  #isStopping = false;
  #vanished = false;
  #wake: (() => void) | undefined;

  constructor(pod: Pod, options: WorkerOptions) {
    this.#pod = pod;
    this.#options = options;
    this.#everReady = isReady(pod);
  }

  /** The API's pod is new or has changed. */
  observe(pod: Pod): void {
    const wasAsked = this.#pod.metadata.deletionGracePeriodSeconds;
    this.#pod = pod;
    if (!wantsFreeze(pod)) this.#awakeUntilMs = 0;
    if (pod.metadata.deletionTimestamp === undefined) {
      void this.#steps.run(() => this.#apply());
      return;
    }
    this.#ending ??= this.#end();
    this.#wake?.();
    const shorter = (pod.metadata.deletionGracePeriodSeconds ?? 30) < (wasAsked ?? Number.POSITIVE_INFINITY);
    if (this.#isStopping && shorter) void this.#stop();
  }

  /**
   * A request waits in the pod: it is thawed at once if it is frozen, and not frozen for a while. In that time the autoscaler, which
   * is told the same, takes the annotation away.
   */
  wake(): void {
    const { clock } = this.#options;
    const isHeld = this.#awakeUntilMs > clock.monotonic();
    this.#awakeUntilMs = clock.monotonic() + awakeMs;
    if (this.#isFrozen) void this.#steps.run(() => this.#applyFreeze(this.#pod));
    if (!isHeld) this.#holdAwake();
  }

  #holdAwake(): void {
    const { clock, signal } = this.#options;
    clock.after(this.#awakeUntilMs - clock.monotonic(), () => {
      if (signal.aborted || this.#ending !== undefined) return;
      if (clock.monotonic() < this.#awakeUntilMs) this.#holdAwake();
      else void this.#steps.run(() => this.#applyFreeze(this.#pod));
    });
  }

  /** The pod is gone from the API: what still runs is ended. Resolves when nothing of it is left. */
  async vanished(): Promise<void> {
    this.#vanished = true;
    this.#wake?.();
    this.#ending ??= this.#end();
    await this.#ending;
  }

  reported({ status }: PodReport): void {
    this.#everReady ||= isReady({ status });
  }

  get #uid(): string {
    return this.#pod.metadata.uid ?? '';
  }

  async #apply(): Promise<void> {
    const pod = this.#pod;
    if (this.#ending !== undefined || this.#options.signal.aborted) return;
    const known = this.#options.provider.getPodStatus(this.#uid);
    if (isFinished(pod)) {
      // Ended by us, or declared ended by somebody else while it runs; either way it is never run again.
      if (known !== undefined && known.phase !== pod.status?.phase)
        await this.#options.provider.deletePod(this.#uid, remainingSeconds(pod, 0));
      return;
    }
    if (this.#isRefused || this.#refuse(pod)) return;
    // A request may be waiting.
    if (this.#isFrozen) await this.#applyFreeze(pod);
    if (this.#applied === undefined || !sameForProvider(this.#applied, pod)) await this.#create(pod);
    await this.#applyFreeze(pod);
  }

  /** A pod that is new here may be refused: it has failed then. */
  #refuse(pod: Pod): boolean {
    const { isAdopted, refusal, events, status } = this.#options;
    const isNew = this.#applied === undefined && !isAdopted && pod.status?.phase !== 'Running';
    const refused = isNew ? refusal(pod) : undefined;
    if (refused === undefined) return false;
    const { reason, message } = refused;
    const { namespace = '', name = '' } = pod.metadata;
    this.#isRefused = true;
    events.warning(pod, reason, message);
    const failed: PodStatus = { ...pod.status, phase: 'Failed', reason, message: `Pod was rejected: ${message}` };
    status.write({ uid: this.#uid, namespace, name, status: failed });
    return true;
  }

  /** Hands the pod to the provider, again and again while that fails. */
  async #create(pod: Pod): Promise<void> {
    const { provider, events, status, clock, signal, logger } = this.#options;
    for (let failures = 0; !signal.aborted && (failures === 0 || this.#ending === undefined); failures += 1) {
      try {
        await (this.#applied === undefined ? provider.createPod(pod) : provider.updatePod(pod));
        this.#applied = pod;
        return;
      } catch (error) {
        const message = errorText(error);
        logger.warn('provider failed', { pod: pod.metadata.name, error });
        events.warning(pod, this.#applied === undefined ? 'ProviderCreateFailed' : 'ProviderUpdateFailed', message);
        const phase = pod.spec?.restartPolicy === 'Never' ? 'Failed' : 'Pending';
        const { namespace = '', name = '' } = pod.metadata;
        status.write({ uid: this.#uid, namespace, name, status: { ...pod.status, phase, reason: 'ProviderFailed', message } });
        if (phase === 'Failed') return;
        await sleep(clock, backoffMs(failures, 1_000, 60_000), signal).catch(() => {});
      }
    }
  }

  async #applyFreeze(pod: Pod): Promise<void> {
    const wanted = wantsFreeze(pod) && this.#awakeUntilMs <= this.#options.clock.monotonic();
    if (wanted === this.#isFrozen) return;
    this.#isFrozen = wanted;
    const { provider, logger } = this.#options;
    const step = wanted ? provider.pausePod?.(this.#uid) : provider.resumePod?.(this.#uid);
    await step?.catch((error: unknown) => {
      this.#isFrozen = !wanted;
      logger.warn('pod not frozen or thawed', { pod: pod.metadata.name, error });
    });
  }

  /** The whole way out: drain, stop, last status, removal from the API. */
  async #end(): Promise<void> {
    // A pod that was being stopped when the agent died: its containers are taken over, so that they end in their own time.
    if (this.#options.isAdopted) await this.#steps.run(() => (this.#applied === undefined ? this.#create(this.#pod) : Promise.resolve()));
    await this.#drained();
    this.#isStopping = true;
    await this.#steps.run(() => this.#stop());
    await this.#options.status.flush(this.#uid);
    if (!this.#vanished) await this.#remove();
  }

  async #drained(): Promise<void> {
    const { clock, signal, provider } = this.#options;
    while (!this.#vanished && !signal.aborted && provider.getPodStatus(this.#uid) !== undefined) {
      if (!mustDrain(this.#pod, this.#everReady)) return;
      const leftMs = graceEndMs(this.#pod, clock.now()) - clock.now();
      if (leftMs <= 0) return;
      await this.#woken(leftMs);
    }
  }

  /** Waits for a change of the pod, at most so long. */
  #woken(atMostMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.clock.after(atMostMs, () => resolve());
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }

  async #stop(): Promise<void> {
    const { provider, clock, logger, signal } = this.#options;
    for (let failures = 0; !signal.aborted; failures += 1) {
      try {
        return await provider.deletePod(this.#uid, remainingSeconds(this.#pod, clock.now()));
      } catch (error) {
        logger.error('pod could not be removed from the node', { pod: this.#pod.metadata.name, error });
        await sleep(clock, backoffMs(failures, 1_000, 60_000), signal).catch(() => {});
      }
    }
  }

  async #remove(): Promise<void> {
    const { client, clock, signal, logger } = this.#options;
    const { namespace, name = '' } = this.#pod.metadata;
    for (let failures = 0; !signal.aborted && !this.#vanished; failures += 1) {
      try {
        await client.of(pods).delete(namespace, name, { gracePeriodSeconds: 0, preconditions: { uid: this.#uid } });
        return;
      } catch (error) {
        if (isReason(error, 'NotFound') || isReason(error, 'Conflict')) return;
        logger.warn('pod not removed from the API', { pod: name, error });
        await sleep(clock, backoffMs(failures, 200, 30_000), signal).catch(() => {});
      }
    }
  }
}

function wantsFreeze({ metadata }: Pod): boolean {
  return metadata.annotations?.[freezeAnnotation] === 'true';
}

/** Whether a provider would see no difference: status writes of our own come back as changes of the pod. */
function sameForProvider(a: Pod, b: Pod): boolean {
  return (
    semanticEqual(a.spec, b.spec) &&
    semanticEqual(a.metadata.labels, b.metadata.labels) &&
    semanticEqual(a.metadata.annotations, b.metadata.annotations) &&
    (b.spec?.readinessGates === undefined || semanticEqual(a.status?.conditions, b.status?.conditions))
  );
}
