import type { Clock } from '#core/clock.ts';
import type { Collector } from '#autoscaler/collector.ts';
import { decide, initialState, type Decision, type ScalerState } from '#autoscaler/kpa.ts';
import type { ScalingSpec } from '#autoscaler/spec.ts';

const tickMs = 2000;

interface Scaler {
  spec: ScalingSpec;
  state: ScalerState | undefined;
  decision: Decision | undefined;
  readyPods: () => number;
}

/**
 * One scaler a revision: decides every two seconds, and at once when requests wait. `changed` is called with the key of a
 * revision whose decision is another than before. Revisions that sleep are not asked: thousands of them cost nothing.
 */
export class Scalers {
  readonly #collector: Collector;
  readonly #clock: Clock;
  readonly #changed: (key: string) => void;
  readonly #scalers = new Map<string, Scaler>();
  /** Those that do not sleep. */
  readonly #awake = new Set<string>();
  /** Since when the others sleep (milliseconds), until what was counted for them is out of their window and forgotten. */
  readonly #dozing = new Map<string, number>();
  #cancel = () => {};

  constructor(collector: Collector, clock: Clock, changed: (key: string) => void) {
    this.#collector = collector;
    this.#clock = clock;
    this.#changed = changed;
  }

  start(): void {
    const next = () => {
      for (const key of this.#awake) this.tick(key);
      this.#forgetOld();
      this.#cancel = this.#clock.after(tickMs, next);
    };
    this.#cancel = this.#clock.after(tickMs, next);
  }

  stop(): void {
    this.#cancel();
  }

  /** Creates the revision's scaler or gives it a new spec. */
  ensure(key: string, spec: ScalingSpec, readyPods: () => number): void {
    const known = this.#scalers.get(key);
    if (known === undefined) this.#scalers.set(key, { spec, state: undefined, decision: undefined, readyPods });
    else Object.assign(known, { spec, readyPods });
    this.wake(key);
  }

  /** Something is about to be counted for the revision. */
  wake(key: string): void {
    const scaler = this.#scalers.get(key);
    if (scaler === undefined) return;
    this.#collector.track(key, scaler.spec);
    this.#awake.add(key);
    this.#dozing.delete(key);
  }

  forget(key: string): void {
    this.#scalers.delete(key);
    this.#awake.delete(key);
    this.#dozing.delete(key);
    this.#collector.forget(key);
  }

  decision(key: string): Decision | undefined {
    return this.#scalers.get(key)?.decision;
  }

  /** The regular tick. Without data there is no decision: the last one stays. */
  tick(key: string): void {
    const scaler = this.#scalers.get(key);
    const averages = scaler === undefined ? undefined : this.#collector.averages(key, scaler.spec, false);
    if (scaler === undefined || averages === undefined) return;
    const decision = this.#decide(scaler, averages);
    const isWanted = this.#collector.load(key) > 0;
    this.#keep(key, scaler, isWanted ? { ...decision, desired: Math.max(1, decision.desired) } : decision);
    // The same would be decided at every tick until something is counted.
    const isIdle = averages.stable === 0 && averages.panic === 0 && !isWanted && scaler.readyPods() === 0;
    if (isIdle && decision.desired === 0 && !decision.panicking) this.#sleep(key);
  }

  #sleep(key: string): void {
    this.#awake.delete(key);
    this.#dozing.set(key, this.#clock.now());
  }

  /** A window without values is one that has never had any: its average begins anew with the next value. */
  #forgetOld(): void {
    for (const [key, sinceMs] of this.#dozing) {
      if (this.#clock.now() - sinceMs < (this.#scalers.get(key)?.spec.stableWindowMs ?? 0)) continue;
      this.#dozing.delete(key);
      this.#collector.forget(key);
    }
  }

  /** A tick between the seconds, because requests wait: the same arithmetic with the present load; it may only raise. */
  earlyTick(key: string): void {
    const scaler = this.#scalers.get(key);
    const averages = scaler === undefined ? undefined : this.#collector.averages(key, scaler.spec, true);
    if (scaler === undefined || averages === undefined) return;
    const decision = this.#decide(scaler, averages);
    const desired = Math.max(1, decision.desired, scaler.decision?.desired ?? 0);
    this.#keep(key, scaler, { ...decision, desired });
  }

  #decide(scaler: Scaler, { stable, panic }: { stable: number; panic: number }): Decision {
    const readyPods = scaler.readyPods();
    const nowMs = this.#clock.now();
    scaler.state ??= initialState(readyPods, nowMs);
    return decide(scaler.spec, scaler.state, { stable, panic, readyPods, nowMs });
  }

  #keep(key: string, scaler: Scaler, decision: Decision): void {
    const before = scaler.decision;
    scaler.decision = decision;
    const same =
      before !== undefined &&
      before.desired === decision.desired &&
      Math.sign(before.excessBurstCapacity) === Math.sign(decision.excessBurstCapacity) &&
      before.activators === decision.activators;
    if (!same) this.#changed(key);
  }
}
