import type { Engine } from '#apis/runtime/engine.ts';
import type { Clock } from '#core/clock.ts';
import type { Logger } from '#core/logger.ts';

export interface GracefulStopOptions {
  readonly engine: Engine;
  readonly clock: Clock;
  readonly sandboxId: string;
  readonly container: string;
  /** '' means SIGTERM. */
  readonly stopSignal: string;
  readonly preStop: ((signal: AbortSignal) => Promise<void>) | undefined;
  readonly exited: Promise<unknown>;
  readonly logger: Logger;
}

/** After a preStop hook that used up the grace period, kubelet still leaves the container this long to end by itself. */
const minimumAfterHookMs = 2_000;

/**
 * Ends one container: preStop hook, stop signal, and when the grace period is over SIGKILL. The period counts from the
 * first call and includes the hook; later calls can only shorten it; 0 kills at once.
 */
export class GracefulStop {
  readonly #options: GracefulStopOptions;
  #deadlineMs = Number.POSITIVE_INFINITY;
  #cancelKill: () => void = () => {};
  /** Present while the preStop hook runs. */
  #hook: AbortController | undefined;
  #isAsked = false;

  constructor(options: GracefulStopOptions) {
    this.#options = options;
  }

  /** Resolves when the container has ended. */
  async within(graceSeconds: number): Promise<void> {
    if (graceSeconds <= 0) this.#signal('SIGKILL');
    else {
      this.#setDeadline(this.#options.clock.now() + graceSeconds * 1000);
      if (!this.#isAsked) void this.#askToStop();
      this.#isAsked = true;
    }
    await this.#options.exited;
    this.#cancelKill();
  }

  #setDeadline(deadlineMs: number): void {
    if (deadlineMs >= this.#deadlineMs) return;
    this.#deadlineMs = deadlineMs;
    this.#cancelKill();
    this.#cancelKill = this.#options.clock.after(deadlineMs - this.#options.clock.now(), () => this.#onDeadline());
  }

  /** A hook that has used up the grace period gives way to the stop signal; otherwise it is time to kill. */
  #onDeadline(): void {
    if (this.#hook === undefined) this.#signal('SIGKILL');
    else this.#hook.abort(new Error('the grace period is over'));
  }

  async #askToStop(): Promise<void> {
    const { preStop, clock, exited } = this.#options;
    if (preStop !== undefined) {
      this.#hook = new AbortController();
      await Promise.race([preStop(this.#hook.signal), exited]);
      this.#hook = undefined;
      if (this.#deadlineMs - clock.now() < minimumAfterHookMs) {
        this.#deadlineMs = Number.POSITIVE_INFINITY;
        this.#setDeadline(clock.now() + minimumAfterHookMs);
      }
    }
    this.#signal(this.#options.stopSignal === '' ? 'SIGTERM' : this.#options.stopSignal);
  }

  #signal(signal: string): void {
    const { engine, sandboxId, container, logger } = this.#options;
    engine.signalContainer(sandboxId, container, signal).catch((error: unknown) => {
      logger.warn('container could not be signalled', { sandboxId, container, signal, error });
    });
  }
}
