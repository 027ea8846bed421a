import type { Resource } from '#apis/definition.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import type { Client } from '#client/client.ts';
import type { Informer, Informers } from '#client/informer-types.ts';
import type { Clock } from '#core/clock.ts';
import type { Logger } from '#core/logger.ts';

/**
 * What a reconcile ended with. `done`: nothing more until something changes. `requeue`: again after `afterMs`.
 * Thrown errors are retried with back-off; PermanentError is logged and not retried.
 */
export type Outcome = { readonly kind: 'done' } | { readonly kind: 'requeue'; readonly afterMs: number };
export const done: Outcome = { kind: 'done' };
export const requeue = (afterMs: number): Outcome => ({ kind: 'requeue', afterMs });

/** Retrying cannot help: the input has to change first. */
export class PermanentError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'PermanentError';
  }
}

export interface EventRecorder {
  /** Writes (or counts up) an Event about `object`, or about its part at `fieldPath` (`spec.containers{app}`). Never throws, never blocks. */
  event(object: KubeObject, type: 'Normal' | 'Warning', reason: string, message: string, fieldPath?: string): void;
  /** The same recorder for what another component says (`source.component`): events tell users which controller spoke. */
  as(component: string): EventRecorder;
}

/** What a controller gets to work with; the same in process and over HTTPS. */
export interface ControllerContext {
  readonly client: Client;
  readonly informers: Informers;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * One reconciler: `resource` is what it reconciles. `reconcile` gets the cached object with metadata and status of its own and may change
 * its `status` (and, through the client, other objects); the harness diffs and writes the status afterwards, so a reconciler
 * never writes it itself. A deleted object is reported to `deleted`, if present.
 */
export interface Controller<T extends KubeObject> {
  readonly resource: Resource<T>;
  /** Parallel reconciles (never two of the same key). Default 4. */
  readonly workers?: number;
  /**
   * Objects that are being deleted are left alone. For reconcilers that own children: with foreground deletion an object stays
   * until its children are gone, so one that made them again would keep it for ever.
   */
  readonly skipsTerminating?: boolean;
  /** Somebody's request may be waiting for what it does (pods are scaled, made, bound): it works before those that report or tidy up. */
  readonly isUrgent?: boolean;
  reconcile(object: T, signal: AbortSignal): Promise<Outcome>;
  /** The object is gone from the cache. `key` is `namespace/name`. */
  deleted?(key: string): void | Promise<void>;
  /** Work of its own besides reconciling (a queue over other things than `resource`). Must end when the signal aborts; a rejection ends all controllers. */
  run?(signal: AbortSignal): Promise<void>;
}

/** The queue side handed to a controller's wiring, to enqueue keys when related objects change. */
export interface Enqueue {
  /** Fast lane: something changed. */
  key(key: string): void;
  /** After a delay; an earlier one for the same key wins. */
  keyAfter(key: string, delayMs: number): void;
  /** Slow lane: everything, e.g. after a configuration change. */
  all(): void;
}

/** A controller's folder exports one of these: builds the reconciler and its watches from a context. */
export interface ControllerModule<T extends KubeObject = KubeObject> {
  /** Who speaks in its events, log lines and metrics. */
  readonly name: string;
  setup(context: ControllerContext, enqueue: Enqueue): Controller<T>;
}

export type { Informer };
