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
 * revision whose decision is another than before.
 */
export class Scalers {
  readonly #collector: Collector;
  readonly #clock: Clock;
  readonly #changed: (key: string) => void;
  readonly #scalers = new Map<string, Scaler>();
  #cancel = () => {};

  constructor(collector: Collector, clock: Clock, changed: (key: string) => void) {
    this.#collector = collector;
    this.#clock = clock;
    this.#changed = changed;
  }

  start(): void {
    const next = () => {
      for (const key of this.#scalers.keys()) this.tick(key);
      this.#cancel = this.#clock.after(tickMs, next);
    };
    this.#cancel = this.#clock.after(tickMs, next);
  }

  stop(): void {
    this.#cancel();
  }

  /** Creates the revision's scaler or gives it a new spec. */
  ensure(key: string, spec: ScalingSpec, readyPods: () => number): void {
    this.#collector.track(key, spec);
    const known = this.#scalers.get(key);
    if (known === undefined) this.#scalers.set(key, { spec, state: undefined, decision: undefined, readyPods });
    else Object.assign(known, { spec, readyPods });
  }

  forget(key: string): void {
    this.#scalers.delete(key);
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
    this.#keep(key, scaler, this.#collector.load(key) > 0 ? { ...decision, desired: Math.max(1, decision.desired) } : decision);
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
