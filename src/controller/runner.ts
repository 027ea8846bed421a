import { objectKey, type KubeObject } from '#apis/meta/object.ts';
import { isReason } from '#apis/meta/status.ts';
import type { Informer } from '#client/informer-types.ts';
import { isRetriable } from '#client/errors.ts';
import { PermanentError, type Controller, type ControllerContext, type ControllerModule, type Outcome } from '#controller/controller.ts';
import { controllerMetrics, type ControllerMetrics } from '#controller/metrics.ts';
import { writeStatus } from '#controller/status-writer.ts';
import { WorkQueue } from '#controller/work-queue.ts';
import { errorText } from '#core/errors.ts';
import type { Logger } from '#core/logger.ts';
import { noMetrics, type Metrics } from '#core/metrics.ts';
import { deepClone } from '#machinery/deep.ts';

export interface RunOptions {
  readonly metrics?: Metrics;
}

/** Every object is looked at again this often, in the slow lane. Nothing relies on it; it heals what nobody thought of. */
const resyncMs = 10 * 3_600_000;
/** An error that has come back this often is worth a person's attention. */
const failuresToWarn = 4;

/**
 * Runs controllers until the signal aborts; resolves when the last reconcile has ended. Sets every module up, waits for its
 * informers, then reconciles what changed. One controller's failures do not touch the others.
 */
export async function runControllers(
  context: ControllerContext,
  modules: readonly ControllerModule[],
  signal: AbortSignal,
  options: RunOptions = {},
): Promise<void> {
  const metrics = controllerMetrics(options.metrics ?? noMetrics);
  const running = modules.map((module) => new ControllerRun(context, module, metrics));
  try {
    await context.informers.start(signal);
    const workers = running.flatMap((run) => run.work(signal));
    await Promise.all(workers);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    for (const run of running) run.stop();
  }
}

/** What a reconcile may change is its own: the fields of the metadata, and all of the status. The rest is shared with the cache and frozen. */
function draftOf(cached: KubeObject): KubeObject {
  const draft: KubeObject & { status?: unknown } = { ...cached, metadata: { ...cached.metadata } };
  if (draft.status !== undefined) draft.status = deepClone(draft.status);
  return draft;
}

/** One controller with its queue. Exported for the test kit, which reconciles single keys with it. */
export class ControllerRun {
  readonly controller: Controller<KubeObject>;
  readonly queue: WorkQueue;
  readonly #context: ControllerContext;
  readonly #informer: Informer<KubeObject>;
  readonly #metrics: ControllerMetrics;
  readonly #logger: Logger;
  readonly #labels: { readonly controller: string };
  readonly #deleted = new Set<string>();
  /** What this controller wrote last, and the versions of before, until the cache has it. */
  readonly #written = new Map<string, { readonly object: KubeObject; readonly replaces: readonly (string | undefined)[] }>();
  readonly #unsubscribe: () => void;
  #started = false;
  #cancelResync = () => {};

  constructor(context: ControllerContext, module: ControllerModule, metrics: ControllerMetrics) {
    this.#metrics = metrics;
    this.#labels = { controller: module.name };
    this.#logger = context.logger.child({ component: module.name });
    this.#context = { ...context, events: context.events.as(module.name), logger: this.#logger };
    const isUrgent = () => this.controller.isUrgent === true;
    this.queue = new WorkQueue({ clock: context.clock, onOverflow: () => this.#all(), isUrgent });
    this.controller = module.setup(this.#context, {
      key: (key) => this.#add(key),
      keyAfter: (key, delayMs) => this.queue.addAfter(key, delayMs),
      all: () => this.#all(),
    });
    this.#informer = context.informers.of(this.controller.resource);
    this.#unsubscribe = this.#informer.on((event) => {
      const key = objectKey(event.object);
      if (event.type === 'deleted') this.#deleted.add(key);
      this.#add(key);
    });
  }

  /** Starts the workers; they end when the signal aborts. */
  work(signal: AbortSignal): Promise<void>[] {
    this.#started = true;
    if (signal.aborted) this.queue.close();
    signal.addEventListener('abort', () => this.queue.close(), { once: true });
    this.#scheduleResync();
    const own = this.controller.run?.(signal);
    return [...(own === undefined ? [] : [own]), ...Array.from({ length: this.controller.workers ?? 4 }, () => this.#worker(signal))];
  }

  stop(): void {
    this.#cancelResync();
    this.#unsubscribe();
    this.queue.close();
  }

  /**
   * One reconcile of one key, status write included. Rejects with what the reconciler threw (the status is written before),
   * or with the failure of that write.
   */
  async reconcile(key: string, signal: AbortSignal): Promise<Outcome> {
    if (this.#deleted.has(key)) {
      await this.controller.deleted?.(key);
      this.#deleted.delete(key);
    }
    const cached = this.#current(key);
    if (cached === undefined) return { kind: 'done' };
    if (this.controller.skipsTerminating === true && cached.metadata.deletionTimestamp !== undefined) return { kind: 'done' };
    const object = draftOf(cached);
    let outcome: Outcome = { kind: 'done' };
    let failure: { readonly error: unknown } | undefined;
    try {
      outcome = await this.controller.reconcile(object, signal);
    } catch (error) {
      failure = { error };
    }
    // A reconcile cut short by the end of the process has not finished its status.
    if (!signal.aborted) await this.#writeStatus(key, cached, object);
    if (failure !== undefined) throw failure.error;
    return outcome;
  }

  async #writeStatus(key: string, before: KubeObject, after: KubeObject): Promise<void> {
    // Gone while it was looked at: there is nothing to describe, and nobody to ask.
    if (this.#cached(key)?.metadata.uid !== before.metadata.uid) return;
    const written = await writeStatus(this.#context.client.of(this.controller.resource), before, after);
    if (written === undefined) return;
    const older = this.#written.get(key)?.replaces ?? [];
    this.#written.set(key, { object: written, replaces: [...older, before.metadata.resourceVersion, after.metadata.resourceVersion] });
    this.#metrics.statusWrites.inc(this.#labels);
  }

  /** The object as the cache has it, or as this controller has just written it: its own write may not have come back yet. */
  #current(key: string): KubeObject | undefined {
    const cached = this.#cached(key);
    const written = this.#written.get(key);
    if (written === undefined) return cached;
    if (cached !== undefined && written.replaces.includes(cached.metadata.resourceVersion)) return written.object;
    this.#written.delete(key);
    return cached;
  }

  #cached(key: string): KubeObject | undefined {
    const slash = key.indexOf('/');
    return this.#informer.get(slash < 0 ? undefined : key.slice(0, slash), key.slice(slash + 1));
  }

  /** Before the workers start everything is new: the slow lane, so that live changes go first afterwards. */
  #add(key: string): void {
    if (this.#started) this.queue.add(key);
    else this.queue.addSlow(key);
    this.#metrics.depth.set(this.#labels, this.queue.depth);
  }

  #all(): void {
    for (const key of this.#informer.keys()) this.queue.addSlow(key);
  }

  #scheduleResync(): void {
    this.#cancelResync = this.#context.clock.after(resyncMs, () => {
      this.#all();
      this.#scheduleResync();
    });
  }

  async #worker(signal: AbortSignal): Promise<void> {
    for (;;) {
      const key = await this.queue.take();
      if (key === undefined) return;
      const startedMs = this.#context.clock.monotonic();
      const result = await this.#attempt(key, signal);
      this.queue.done(key);
      this.#metrics.reconcileSeconds.observe(this.#labels, (this.#context.clock.monotonic() - startedMs) / 1000);
      this.#metrics.reconciles.inc({ ...this.#labels, result });
      this.#metrics.depth.set(this.#labels, this.queue.depth);
    }
  }

  /** Reconciles, decides when the key comes again, and names the result for the metrics. Never rejects. */
  async #attempt(key: string, signal: AbortSignal): Promise<string> {
    try {
      const outcome = await this.reconcile(key, signal);
      this.queue.forget(key);
      if (outcome.kind === 'requeue') this.queue.addAfter(key, outcome.afterMs);
      return outcome.kind;
    } catch (error) {
      if (signal.aborted) return 'error';
      return this.#failed(key, error);
    }
  }

  #failed(key: string, error: unknown): string {
    if (error instanceof PermanentError) {
      this.queue.forget(key);
      this.#logger.warn('reconcile failed for good until something changes', { key, error });
      return 'permanent_error';
    }
    const retryMs = this.queue.retry(key);
    // Conflicts are how concurrent writers meet: the next attempt sees the newer state.
    if (isReason(error, 'Conflict')) return 'conflict';
    const failures = this.queue.failuresOf(key);
    const fields = { key, failures, retryMs, error: isRetriable(error) ? errorText(error) : error };
    if (failures < failuresToWarn) this.#logger.debug('reconcile failed, trying again', fields);
    else this.#logger.warn('reconcile keeps failing', fields);
    return 'error';
  }
}
