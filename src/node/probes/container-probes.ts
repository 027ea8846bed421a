import type { Probe } from '#apis/core/v1/probe.ts';
import type { Clock } from '#core/clock.ts';
import { attemptProbe, type Attempt } from '#node/probes/attempt.ts';
import type { ProbeTarget } from '#node/probes/probe-target.ts';

export type ProbeKind = 'Startup' | 'Readiness' | 'Liveness';

export interface ProbeListener {
  /** The startup probe succeeded (at once when there is none). */
  started(): void;
  ready(isReady: boolean): void;
  /** A failed attempt that counts, for the Unhealthy event. */
  unhealthy(kind: ProbeKind, message: string): void;
  /** The startup or liveness probe failed too often. */
  failed(kind: ProbeKind, probe: Probe): void;
}

export interface ProbeSet {
  readonly startup?: Probe | undefined;
  readonly readiness?: Probe | undefined;
  readonly liveness?: Probe | undefined;
}

/**
 * How often containers that are not ready yet are asked. Kubernetes lets readiness be probed more often than its period
 * until the first success. A twentieth of the time waited so far, so that nobody waits more than 5 % longer than needed;
 * the more containers wait at once, the slower, so that all of them together cost at most 125 attempts a second.
 */
export class ProbePace {
  #waiting = 0;

  enter(): () => void {
    this.#waiting += 1;
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#waiting -= 1;
    };
  }

  intervalMs(aggressive: boolean, waitedMs: number): number {
    return Math.max(aggressive ? 10 : 25, this.#waiting * 8, waitedMs / 20);
  }
}

export interface ProbeOptions {
  readonly probes: ProbeSet;
  readonly target: ProbeTarget;
  readonly clock: Clock;
  readonly pace: ProbePace;
  /** Knative's `periodSeconds: 0`: ask as fast as sensible until the first success. */
  readonly aggressive: boolean;
  /** Readiness by HTTP is asked by HTTP/2 first. */
  readonly detectHttp2: boolean;
  readonly listener: ProbeListener;
}

/** Runs a container's probes from its start to its end: startup first, then readiness and liveness side by side. */
export class ContainerProbes {
  readonly #options: ProbeOptions;
  #loops: ProbeLoop[] = [];
  #stopped = false;
  #paused = false;

  constructor(options: ProbeOptions) {
    this.#options = options;
  }

  /** An adopted container does not go through its startup probe again and stays ready until a probe says otherwise. */
  start(alreadyStarted = false, alreadyReady = false): void {
    const { startup } = this.#options.probes;
    if (startup === undefined || alreadyStarted) this.#afterStartup(alreadyReady);
    else this.#run('Startup', startup, false, () => this.#afterStartup(false));
  }

  stop(): void {
    this.#stopped = true;
    for (const loop of this.#loops) loop.stop();
    this.#loops = [];
  }

  /** While a pod is frozen nothing is asked and nothing counts. */
  pause(): void {
    this.#paused = true;
    for (const loop of this.#loops) loop.pause();
  }

  resume(): void {
    this.#paused = false;
    for (const loop of this.#loops) loop.resume();
  }

  #afterStartup(alreadyReady: boolean): void {
    if (this.#stopped) return;
    const { readiness, liveness } = this.#options.probes;
    this.#options.listener.started();
    if (readiness === undefined) this.#options.listener.ready(true);
    else this.#run('Readiness', readiness, alreadyReady, () => this.#options.listener.ready(true));
    if (liveness !== undefined) this.#run('Liveness', liveness, true, () => {});
  }

  #run(kind: ProbeKind, probe: Probe, healthy: boolean, succeeded: () => void): void {
    const loop = new ProbeLoop({ kind, probe, healthy, options: this.#options, succeeded });
    this.#loops.push(loop);
    if (this.#paused) loop.pause();
    loop.start();
  }
}

/** One probe's timer and counters. Attempts never overlap. */
class ProbeLoop {
  readonly #kind: ProbeKind;
  readonly #probe: Probe;
  readonly #options: ProbeOptions;
  readonly #succeeded: () => void;
  #cancel: () => void = () => {};
  #leavePace: (() => void) | undefined;
  #generation = 0;
  #successes = 0;
  #failures = 0;
  #healthy: boolean;
  #everSucceeded: boolean;
  #beganMs = 0;
  /** Attempts between the period's ticks (fast ones, before the first success) do not count as failures. */
  #countFromMs = 0;
  #paused = false;
  #done = false;

  constructor(input: { kind: ProbeKind; probe: Probe; healthy: boolean; options: ProbeOptions; succeeded: () => void }) {
    this.#kind = input.kind;
    this.#probe = input.probe;
    this.#options = input.options;
    this.#succeeded = input.succeeded;
    this.#healthy = input.healthy;
    this.#everSucceeded = input.healthy;
  }

  start(): void {
    const initialMs = (this.#probe.initialDelaySeconds ?? 0) * 1000;
    if (this.#isFast()) this.#leavePace = this.#options.pace.enter();
    this.#beganMs = this.#options.clock.now() + initialMs;
    this.#countFromMs = this.#beganMs + (this.#isFast() ? this.#periodMs() : 0);
    this.#schedule(initialMs);
  }

  stop(): void {
    this.#done = true;
    this.#generation += 1;
    this.#cancel();
    this.#leavePace?.();
  }

  pause(): void {
    this.#paused = true;
    this.#generation += 1;
    this.#cancel();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#failures = 0;
    this.#schedule(this.#periodMs());
  }

  #schedule(delayMs: number): void {
    if (this.#done || this.#paused) return;
    const generation = this.#generation;
    this.#cancel = this.#options.clock.after(delayMs, () => void this.#tick(generation));
  }

  async #tick(generation: number): Promise<void> {
    const { target, clock, detectHttp2 } = this.#options;
    const attempt = await attemptProbe(this.#probe, target, clock, detectHttp2 && this.#kind === 'Readiness');
    if (generation !== this.#generation) return;
    if (attempt.ok) this.#onSuccess();
    else this.#onFailure(attempt);
    this.#schedule(this.#isFast() ? this.#fastMs() : this.#periodMs());
  }

  #fastMs(): number {
    const { pace, aggressive, clock } = this.#options;
    return Math.min(this.#periodMs(), pace.intervalMs(aggressive, clock.now() - this.#beganMs));
  }

  #onSuccess(): void {
    this.#failures = 0;
    this.#successes += 1;
    this.#everSucceeded = true;
    this.#leavePace?.();
    if (this.#healthy || this.#successes < (this.#probe.successThreshold ?? 1)) return;
    this.#healthy = true;
    if (this.#kind === 'Startup') this.stop();
    this.#succeeded();
  }

  #onFailure(attempt: Attempt): void {
    const now = this.#options.clock.now();
    if (this.#isFast()) {
      if (now < this.#countFromMs) return;
      this.#countFromMs = now + this.#periodMs();
    }
    this.#successes = 0;
    this.#failures += 1;
    this.#options.listener.unhealthy(this.#kind, attempt.message);
    if (this.#failures < (this.#probe.failureThreshold ?? 3)) return;
    if (this.#kind === 'Readiness') {
      if (this.#healthy) this.#options.listener.ready(false);
      this.#healthy = false;
      return;
    }
    this.stop();
    this.#options.listener.failed(this.#kind, this.#probe);
  }

  /** Before the first success, cheap probes run at the pace of ProbePace. */
  #isFast(): boolean {
    return this.#kind !== 'Liveness' && !this.#everSucceeded && this.#probe.exec === undefined;
  }

  #periodMs(): number {
    return (this.#probe.periodSeconds ?? 10) * 1000;
  }
}
