import { checkLimit, checkRevision, checkWrite, compareKeys } from './keys.ts';
import type { Entry, KeyRevision, Storage, StorageEvent, Watch, Write, WriteResult } from './storage.ts';
import { CompactedError, FutureRevisionError, StorageFailure } from './storage.ts';
import { WatchHub } from './watch-hub.ts';
import type { WatchListener } from './watch-hub.ts';

/** A change and the entry it replaced, so that earlier states can be rebuilt by undoing. */
interface Change {
  readonly event: StorageEvent;
  readonly before: Entry | undefined;
}

/**
 * The reference driver: everything in memory, nothing survives the process. For tests, and to check other drivers against.
 * History is bounded: the oldest changes beyond `keepRevisions` are compacted as new ones come.
 */
export class MemoryStorage implements Storage {
  readonly #hub = new WatchHub();
  readonly #keepRevisions: number;
  readonly #entries = new Map<string, Entry>();
  /** Values by the revision that wrote them: of the entries, and of what `#changes` replaced. */
  readonly #values = new Map<number, string>();
  /** Keys of `#entries` in byte order; undefined after a key came or went, until a list needs it. */
  #sortedKeys: string[] | undefined;
  /** Changes after `#compacted`, one a revision: the change of revision r is at index r - #compacted - 1. */
  readonly #changes: Change[] = [];
  #revision = 0;
  #compacted = 0;
  #closed = false;

  constructor(options: { keepRevisions?: number } = {}) {
    this.#keepRevisions = options.keepRevisions ?? 20_000;
  }

  get revision(): number {
    return this.#revision;
  }

  get compactedRevision(): number {
    return this.#compacted;
  }

  async get(key: string): Promise<Entry | undefined> {
    this.#checkOpen();
    return this.#entries.get(key);
  }

  valueOf(revision: number): string {
    this.#checkOpen();
    checkRevision(revision);
    const value = this.#values.get(revision);
    if (value === undefined) throw new CompactedError(this.#compacted);
    return value;
  }

  valuesOf(revisions: readonly number[]): string[] {
    return revisions.map((revision) => this.valueOf(revision));
  }

  async index(): Promise<{ entries: KeyRevision[]; revision: number }> {
    const { entries, revision } = await this.list('');
    return { entries: entries.map(({ key, modRevision }) => ({ key, modRevision })), revision };
  }

  async list(
    prefix: string,
    { after, limit, revision = this.#revision }: { after?: string; limit?: number; revision?: number } = {},
  ): Promise<{ entries: Entry[]; revision: number; more: boolean }> {
    this.#checkOpen();
    checkLimit(limit);
    this.#checkRetained(revision);
    const state = this.#stateAt(revision);
    const keys = state === this.#entries ? (this.#sortedKeys ??= sortKeys(state)) : sortKeys(state);
    const found = keys.filter((key) => key.startsWith(prefix) && (after === undefined || compareKeys(key, after) > 0));
    const page = limit === undefined ? found : found.slice(0, limit);
    const entries = page.flatMap((key) => state.get(key) ?? []);
    return { entries, revision, more: found.length > page.length };
  }

  async write(write: Write): Promise<WriteResult> {
    this.#checkOpen();
    checkWrite(write);
    const before = this.#entries.get(write.key);
    const matches = write.expected === undefined || write.expected === (before?.modRevision ?? 0);
    if (!matches || (write.value === null && before === undefined)) return { ok: false, current: before };
    const event = this.#apply(write, before);
    this.#hub.publish([event]);
    return { ok: true, revision: event.revision };
  }

  async watch(prefix: string, afterRevision: number, listener: WatchListener): Promise<Watch> {
    this.#checkOpen();
    this.#checkRetained(afterRevision);
    const watch = this.#hub.open(prefix, afterRevision, listener);
    watch.deliver(this.#changes.slice(afterRevision - this.#compacted).map((change) => change.event));
    watch.goLive();
    return watch;
  }

  async compact(revision: number): Promise<void> {
    this.#checkOpen();
    checkRevision(revision);
    if (revision > this.#revision) throw new FutureRevisionError(revision, this.#revision);
    this.#compactTo(revision);
  }

  async stats(): Promise<{ sizeBytes: number; keys: number }> {
    this.#checkOpen();
    let sizeBytes = 0;
    for (const { key, value } of this.#entries.values()) sizeBytes += key.length + value.length;
    return { sizeBytes, keys: this.#entries.size };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#hub.endAll(new StorageFailure('closed', 'the storage has been closed'));
  }

  #apply({ key, value }: Write, before: Entry | undefined): StorageEvent {
    const revision = ++this.#revision;
    const createRevision = before?.createRevision ?? revision;
    if (value === null) this.#entries.delete(key);
    else this.#entries.set(key, { key, value, createRevision, modRevision: revision });
    if (value !== null) this.#values.set(revision, value);
    if (value === null || before === undefined) this.#sortedKeys = undefined;
    const event: StorageEvent = {
      type: value === null ? 'delete' : 'put',
      key,
      revision,
      value: value ?? before?.value ?? '',
      previous: before?.value,
      createRevision,
    };
    this.#changes.push({ event, before });
    // Dropping from the front of an array costs its length, so it is done in strides.
    if (this.#changes.length > this.#keepRevisions + 1000) this.#compactTo(revision - this.#keepRevisions);
    return event;
  }

  #compactTo(revision: number): void {
    if (revision <= this.#compacted) return;
    const forgotten = this.#changes.splice(0, revision - this.#compacted);
    for (const { before } of forgotten) if (before !== undefined) this.#values.delete(before.modRevision);
    this.#compacted = revision;
  }

  #stateAt(revision: number): Map<string, Entry> {
    if (revision === this.#revision) return this.#entries;
    const state = new Map(this.#entries);
    for (const { event, before } of this.#changes.slice(revision - this.#compacted).toReversed()) {
      if (before === undefined) state.delete(event.key);
      else state.set(event.key, before);
    }
    return state;
  }

  #checkRetained(revision: number): void {
    checkRevision(revision);
    if (revision > this.#revision) throw new FutureRevisionError(revision, this.#revision);
    if (revision < this.#compacted) throw new CompactedError(this.#compacted);
  }

  #checkOpen(): void {
    if (this.#closed) throw new StorageFailure('closed', 'the storage has been closed');
  }
}

function sortKeys(state: Map<string, Entry>): string[] {
  return [...state.keys()].sort(compareKeys);
}
