import { backoffMs } from '#core/async.ts';
import type { Clock } from '#core/clock.ts';
import type { BackendConfig, PodConfig } from '#gateway/routes/route-config.ts';
import { choosePod } from '#gateway/slots/choose.ts';
import { Pod } from '#gateway/slots/pod.ts';
import { LatencyHistogram } from '#gateway/stats/histogram.ts';
import { Meter, type MeterSink } from '#gateway/stats/meter.ts';

/** A request that wants a slot. */
export interface SlotWaiter {
  /** A slot of `pod` is the waiter's now; it must be released. Called later than `acquire` returned. */
  granted(pod: Pod): void;
  /** The backend is gone: there will be no slot. */
  refused(): void;
}

/**
 * Slot leases: `acquire` gives a slot of a pod or lines the waiter up, `release` gives it back, `leave` steps out of the line. One
 * gateway holds all slots of a revision, so the limit is exact; with several gateways another implementation asks the owner.
 */
export interface Slots {
  acquire(waiter: SlotWaiter): Pod | 'waiting' | 'full';
  /** Asks again, ahead of the line: the waiter had a slot but its pod was of no use. */
  acquireAgain(waiter: SlotWaiter): Pod | 'waiting';
  release(pod: Pod): void;
  leave(waiter: SlotWaiter): void;
}

/** What a backend tells the rest of the gateway. */
export interface BackendEvents extends MeterSink {
  /** Requests wait and no pod can take them, or only a frozen one. */
  waiting(backend: Backend): void;
  /** The last request left a pod that is going away. */
  drained(backend: Backend, pod: Pod): void;
}

export const maxQueued = 10_000;
/**
 * An upgraded connection may never end by itself, and its program learns from the stop signal that it should end it. So it holds up
 * its pod's stop for no longer than Knative's queue-proxy does.
 */
export const tunnelDrainMs = 30_000;

/** What all backends share that have nobody: of thousands, most sleep. */
const nobody: Set<never> = new Set();

function withOne<T>(set: Set<T>, one: T): Set<T> {
  return (set === nobody ? new Set<T>() : set).add(one);
}

/** One revision (or plain Service): its pods, the line of waiting requests and its counters. Lives through route updates. */
export class Backend implements Slots {
  readonly key: string;
  config: BackendConfig;
  readonly meter: Meter;
  readonly latency = new LatencyHistogram();
  readonly coldStarts = new LatencyHistogram();
  /** Responses by first digit of the status; 0 counts clients that hung up. */
  readonly statuses: number[] = [0, 0, 0, 0, 0, 0];
  pods: readonly Pod[] = [];
  running = 0;
  rejected = 0;
  retries = 0;
  readonly #clock: Clock;
  readonly #events: BackendEvents;
  #leaving: Set<Pod> = nobody;
  #ahead: Set<SlotWaiter> = nobody;
  #line: Set<SlotWaiter> = nobody;
  #turn = 0;

  constructor(config: BackendConfig, clock: Clock, events: BackendEvents) {
    this.key = config.key;
    this.config = config;
    this.#clock = clock;
    this.#events = events;
    this.meter = new Meter(events, this);
    this.update(config);
  }

  get queued(): number {
    return this.#line.size + this.#ahead.size;
  }

  get thawing(): readonly string[] {
    return this.pods.filter(({ frozen, running }) => frozen && running > 0).map(({ key }) => key);
  }

  /** Takes over settings and pods; requests in progress and their slots are not touched. */
  update(config: BackendConfig): void {
    this.config = config;
    const known = new Map(this.pods.map((pod) => [pod.key, pod]));
    this.pods = config.pods.map((wanted) => this.#keepOrAdd(known, wanted));
    for (const pod of known.values()) this.#remove(pod);
    this.pump();
    if (config.gone === true) this.#refuseAll();
  }

  /** There is no pod, and waiting would not bring one. */
  get isUnreachable(): boolean {
    return this.pods.length === 0 && (!this.config.isRevision || this.config.gone === true);
  }

  #keepOrAdd(known: Map<string, Pod>, wanted: PodConfig): Pod {
    const old = known.get(wanted.key) ?? [...this.#leaving].find((pod) => pod.key === wanted.key);
    const http2 = this.config.protocol === 'h2c';
    if (old === undefined || old.http2 !== http2 || JSON.stringify(old.target) !== JSON.stringify(wanted.dial)) {
      return new Pod(wanted.key, wanted.dial, wanted.frozen ?? false, http2);
    }
    known.delete(wanted.key);
    this.#leaving.delete(old);
    old.draining = false;
    old.frozen = wanted.frozen ?? false;
    return old;
  }

  #remove(pod: Pod): void {
    pod.draining = true;
    pod.drainingSince = this.#clock.monotonic();
    pod.discardIdle();
    if (pod.running > 0) this.#leaving = withOne(this.#leaving, pod);
    else this.#events.drained(this, pod);
  }

  /** Whether the pod may still get requests or has some that its stop must wait for. */
  uses(podKey: string): boolean {
    return this.pods.some(({ key }) => key === podKey) || [...this.#leaving].some((pod) => pod.key === podKey && this.#holds(pod));
  }

  #holds({ running, tunnels, drainingSince }: Pod): boolean {
    return running > tunnels || this.#clock.monotonic() - drainingSince < tunnelDrainMs;
  }

  acquire(waiter: SlotWaiter): Pod | 'waiting' | 'full' {
    if (this.queued === 0) {
      const pod = this.#take();
      if (pod !== undefined) return pod;
    }
    if (this.queued >= maxQueued) {
      this.rejected++;
      return 'full';
    }
    this.#line = withOne(this.#line, waiter);
    this.#events.waiting(this);
    return 'waiting';
  }

  acquireAgain(waiter: SlotWaiter): Pod | 'waiting' {
    const pod = this.#take();
    if (pod !== undefined) return pod;
    this.#ahead = withOne(this.#ahead, waiter);
    this.#events.waiting(this);
    return 'waiting';
  }

  release(pod: Pod): void {
    pod.running--;
    this.running--;
    if (pod.draining) {
      if (pod.running === 0 && this.#leaving.delete(pod)) this.#events.drained(this, pod);
    } else if (this.queued > 0) this.pump();
  }

  leave(waiter: SlotWaiter): void {
    if (!this.#line.delete(waiter)) this.#ahead.delete(waiter);
  }

  /** Gives free slots to those who wait, first come first served. */
  pump(): void {
    while (this.queued > 0) {
      const pod = this.#take();
      if (pod === undefined) return;
      const line = this.#ahead.size > 0 ? this.#ahead : this.#line;
      const [waiter] = line as Set<SlotWaiter>;
      line.delete(waiter as SlotWaiter);
      (waiter as SlotWaiter).granted(pod);
    }
  }

  /** The backend is gone: running requests finish, waiting ones are refused. */
  close(): void {
    this.update({ ...this.config, pods: [] });
    this.#refuseAll();
  }

  #refuseAll(): void {
    const waiters = [...this.#ahead, ...this.#line];
    this.#ahead.clear();
    this.#line.clear();
    for (const waiter of waiters) waiter.refused();
  }

  /** A pod refused a connection: it rests a little, longer each time, and the line moves on when it may be tried again. */
  podFailed(pod: Pod): void {
    const now = this.#clock.monotonic();
    const delayMs = backoffMs(pod.failures++, 20, 1000);
    pod.downUntil = now + delayMs;
    this.#clock.after(delayMs + 1, () => this.pump());
  }

  #take(): Pod | undefined {
    const pod = choosePod(this.pods, this.config.containerConcurrency, this.#clock.monotonic(), this.#turn++);
    if (pod === undefined) return undefined;
    pod.running++;
    pod.requests++;
    this.running++;
    // It is asked to thaw; until then the kernel holds the connection.
    if (pod.frozen) this.#events.waiting(this);
    return pod;
  }
}
