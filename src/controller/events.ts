import { createHash, randomBytes } from 'node:crypto';
import { events, type Event } from '#apis/core/v1/event.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import { isReason } from '#apis/meta/status.ts';
import type { Client, ResourceClient } from '#client/client.ts';
import { isRetriable } from '#client/errors.ts';
import { timestamp } from '#controller/conditions.ts';
import type { EventRecorder } from '#controller/controller.ts';
import { sleep, type Clock } from '#core/clock.ts';
import { eventLoopMeter } from '#core/event-loop.ts';
import { errorText } from '#core/errors.ts';
import type { Logger } from '#core/logger.ts';

export interface EventRecorderOptions {
  readonly client: Client;
  /** Who speaks: `source.component`, e.g. `service-controller`. */
  readonly component: string;
  /** Which instance of it: `reportingInstance`, by convention the host's or node's name. */
  readonly instance?: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Which share of the time since the last call the process was at work, 0 to 1; absent: its event loop says. */
  readonly workload?: () => number;
}

export interface FlushableEventRecorder extends EventRecorder {
  /** Resolves once nothing waits to be written. */
  flush(): Promise<void>;
}

/** An event on its way or written, and how often it has happened. */
interface Occurrence {
  readonly component: string;
  /** Not the object itself: thousands of occurrences are remembered, and none may keep an object in memory. */
  readonly involved: Event['involvedObject'];
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly name: string;
  readonly firstTimestamp: string;
  message: string;
  lastTimestamp: string;
  count: number;
  stored: boolean;
}
type What = Pick<Occurrence, 'component' | 'involved' | 'type' | 'reason' | 'message'>;
interface Said extends Pick<Occurrence, 'type' | 'reason' | 'message'> {
  readonly object: KubeObject;
  readonly fieldPath: string;
}
interface Similar {
  /** Hashes of different ones, few. */
  readonly messages: string[];
  sinceMs: number;
}
interface Bucket {
  tokens: number;
  atMs: number;
}

/** The figures of Kubernetes' own recorder. */
const burst = 25;
const refillMs = 300_000;
const similarWindowMs = 600_000;
const maxSimilar = 10;
const maxRemembered = 4096;
const maxWaiting = 1000;
const maxMessage = 1024;
const attempts = 4;
/**
 * Events come after what they tell of: written at once they would compete with it for the machine. So they wait until nothing more is said, and
 * the process has less to do than `busyShare`.
 */
const settleMs = 200;
const busyShare = 0.3;
/**
 * But not longer than two seconds, and somewhat more for each that waits, since a crowd of them tells of a machine that has much to do.
 * What went wrong waits no longer than `settleMs`.
 */
const settleLimitMs = 2000;
const settleLimitMsPerEvent = 30;
const longestSettleMs = 10_000;

/**
 * Writes core/v1 Events, best effort: repeated ones are counted up, many similar ones are combined into one, an object that
 * talks too much is cut off (25 at once, then one in 5 minutes), and what waits beyond 1000 is dropped.
 */
export function createEventRecorder(options: EventRecorderOptions): FlushableEventRecorder {
  return new Recorder(options);
}

class Recorder implements FlushableEventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #client: ResourceClient<Event>;
  readonly #workload: () => number;
  readonly #logger: Logger;
  readonly #known = new Recent<Occurrence>(maxRemembered);
  readonly #similar = new Recent<Similar>(maxRemembered);
  readonly #buckets = new Recent<Bucket>(maxRemembered);
  readonly #waiting = new Set<Occurrence>();
  #sending: Promise<void> | undefined;
  #hurry = Promise.withResolvers<void>();
  /** When something was said last. Monotonic. */
  #saidMs = 0;
  #urgent = false;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#client = options.client.of(events);
    this.#workload = options.workload ?? eventLoopMeter();
    this.#logger = options.logger.child({ component: 'events' });
  }

  event(object: KubeObject, type: 'Normal' | 'Warning', reason: string, message: string, fieldPath = ''): void {
    this.#record(this.#options.component, { object, type, reason, message, fieldPath });
  }

  as(component: string): EventRecorder {
    return {
      event: (object, type, reason, message, fieldPath = '') => this.#record(component, { object, type, reason, message, fieldPath }),
      as: (other) => this.as(other),
    };
  }

  #record(component: string, { object, type, reason, message, fieldPath }: Said): void {
    const { kind = '', apiVersion = '', metadata } = object;
    const subject = `${component} ${apiVersion} ${kind} ${metadata.namespace ?? ''}/${metadata.name ?? ''} ${metadata.uid ?? ''}`;
    if (!this.#mayTalk(subject)) return;
    const group = `${subject} ${fieldPath} ${type} ${reason}`;
    const combined = this.#isTooVaried(group, message);
    const text = clipped(combined ? `(combined from similar events): ${message}` : message);
    const occurrence = this.#occurrence(combined ? group : `${group} ${message}`, {
      component,
      involved: reference(object, fieldPath),
      type,
      reason,
      message: text,
    });
    if (this.#waiting.size >= maxWaiting) {
      this.#logger.debug('too many events wait, dropping one', { reason });
      return;
    }
    this.#waiting.add(occurrence);
    this.#saidMs = this.#options.clock.monotonic();
    this.#urgent ||= type === 'Warning';
    this.#sending ??= this.#send();
  }

  async flush(): Promise<void> {
    while (this.#sending !== undefined) {
      this.#hurry.resolve();
      await this.#sending;
    }
  }

  #mayTalk(subject: string): boolean {
    const nowMs = this.#options.clock.monotonic();
    const bucket = this.#buckets.get(subject) ?? { tokens: burst, atMs: nowMs };
    bucket.tokens = Math.min(burst, bucket.tokens + (nowMs - bucket.atMs) / refillMs);
    bucket.atMs = nowMs;
    this.#buckets.set(subject, bucket);
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }

  #isTooVaried(group: string, message: string): boolean {
    const nowMs = this.#options.clock.monotonic();
    let similar = this.#similar.get(group);
    if (similar === undefined || nowMs - similar.sinceMs > similarWindowMs) similar = { messages: [], sinceMs: nowMs };
    const hash = createHash('sha1').update(message).digest('base64');
    if (similar.messages.length <= maxSimilar && !similar.messages.includes(hash)) similar.messages.push(hash);
    similar.sinceMs = nowMs;
    this.#similar.set(group, similar);
    return similar.messages.length > maxSimilar;
  }

  #occurrence(key: string, what: What): Occurrence {
    const now = timestamp(this.#options.clock);
    const known = this.#known.get(key);
    if (known !== undefined) {
      Object.assign(known, { message: what.message, lastTimestamp: now, count: known.count + 1 });
      return known;
    }
    const name = `${what.involved.name ?? ''}.${randomBytes(8).toString('hex')}`;
    const made: Occurrence = { ...what, name, firstTimestamp: now, lastTimestamp: now, count: 1, stored: false };
    this.#known.set(key, made);
    return made;
  }

  async #send(): Promise<void> {
    this.#hurry = Promise.withResolvers();
    const cancel = this.#settle(this.#options.clock.monotonic());
    await this.#hurry.promise;
    cancel();
    this.#urgent = false;
    for (const occurrence of this.#waiting) {
      this.#waiting.delete(occurrence);
      await this.#write(occurrence);
    }
    this.#sending = undefined;
  }

  /** Ends the wait once nothing has been said for a while. Returns its cancellation. */
  #settle(beganMs: number): () => void {
    const { clock } = this.#options;
    let cancel = () => {};
    this.#workload();
    const look = () => {
      const nowMs = clock.monotonic();
      const isBusy = this.#workload() >= busyShare;
      const quietMs = isBusy ? 0 : nowMs - this.#saidMs;
      const limitMs = Math.min(longestSettleMs, settleLimitMs + this.#waiting.size * settleLimitMsPerEvent);
      if (this.#urgent || quietMs >= settleMs || nowMs - beganMs >= limitMs) return this.#hurry.resolve();
      cancel = clock.after(Math.min(settleMs - quietMs, beganMs + limitMs - nowMs), look);
    };
    cancel = clock.after(settleMs, look);
    return () => cancel();
  }

  async #write(occurrence: Occurrence): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#put(occurrence);
        return;
      } catch (error) {
        if (attempt >= attempts || !isRetriable(error)) {
          this.#logger.debug('event dropped', { reason: occurrence.reason, error: errorText(error) });
          return;
        }
        await sleep(this.#options.clock, 250 * 2 ** attempt);
      }
    }
  }

  async #put(occurrence: Occurrence): Promise<void> {
    const namespace = occurrence.involved.namespace ?? 'default';
    if (occurrence.stored) {
      const { count, lastTimestamp, message } = occurrence;
      try {
        await this.#client.patch(namespace, occurrence.name, { type: 'merge', body: { count, lastTimestamp, message } });
        return;
      } catch (error) {
        // Events expire; then the same thing happening again is a new one.
        if (!isReason(error, 'NotFound')) throw error;
      }
    }
    await this.#client.create(this.#eventOf(occurrence, namespace));
    occurrence.stored = true;
  }

  #eventOf(occurrence: Occurrence, namespace: string): Event {
    const { component, involved, type, reason, message, name, firstTimestamp, lastTimestamp, count } = occurrence;
    const { instance = '' } = this.#options;
    return {
      metadata: { namespace, name },
      involvedObject: involved,
      type,
      reason,
      message,
      source: { component, ...(instance === '' ? {} : { host: instance }) },
      reportingComponent: component,
      reportingInstance: instance,
      firstTimestamp,
      lastTimestamp,
      count,
    };
  }
}

function reference({ kind, apiVersion, metadata }: KubeObject, fieldPath: string): Event['involvedObject'] {
  return {
    ...(kind === undefined ? {} : { kind }),
    ...(apiVersion === undefined ? {} : { apiVersion }),
    ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
    ...(metadata.name === undefined ? {} : { name: metadata.name }),
    ...(metadata.uid === undefined ? {} : { uid: metadata.uid }),
    ...(metadata.resourceVersion === undefined ? {} : { resourceVersion: metadata.resourceVersion }),
    ...(fieldPath === '' ? {} : { fieldPath }),
  };
}

/** A map that forgets what was used longest ago beyond its size. */
class Recent<V> {
  readonly #values = new Map<string, V>();
  readonly #size: number;

  constructor(size: number) {
    this.#size = size;
  }

  get(key: string): V | undefined {
    return this.#values.get(key);
  }

  set(key: string, value: V): void {
    this.#values.delete(key);
    this.#values.set(key, value);
    if (this.#values.size <= this.#size) return;
    const [oldest] = this.#values.keys();
    if (oldest !== undefined) this.#values.delete(oldest);
  }
}

/** At most 1024 bytes, as the API demands, cut between characters. */
function clipped(message: string): string {
  const bytes = Buffer.from(message);
  if (bytes.length <= maxMessage) return message;
  return `${bytes
    .subarray(0, maxMessage - 4)
    .toString()
    .replace(/\uFFFD+$/u, '')}…`;
}
