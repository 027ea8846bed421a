/** How much history a store keeps for watches that resume and lists that continue. */
export interface Retention {
  /** History younger than this is kept, within the two bounds below. */
  readonly keepMs: number;
  /** Never more revisions than this. */
  readonly maxRevisions: number;
  /** Never more bytes of values than this (approximately). */
  readonly maxBytes: number;
  /** The newest revisions are kept whatever their age, so that a quiet store can still be resumed. */
  readonly minRevisions: number;
  /** How often old history is looked for. */
  readonly checkEveryMs: number;
}

export const defaultRetention: Retention = {
  keepMs: 10 * 60_000,
  maxRevisions: 20_000,
  maxBytes: 256 * 2 ** 20,
  minRevisions: 1000,
  checkEveryMs: 5000,
};

/** At most one mark in this time, so a busy store remembers a few hundred of them. */
const markEveryMs = 2000;

/** Decides up to which revision history may be forgotten. Pure bookkeeping: the caller brings the time. */
export class RetentionPolicy {
  readonly #retention: Retention;
  /** After writing `bytes` in total, at `atMs`, the store was at `revision`. Oldest first. */
  readonly #marks: { atMs: number; revision: number; bytes: number }[] = [];
  #bytes = 0;
  #revision: number;

  /** What was written before `revision` counts as written now: its real age is not known after a restart. */
  constructor(retention: Retention, revision: number, nowMs: number) {
    this.#retention = retention;
    this.#revision = revision;
    this.#marks.push({ atMs: nowMs, revision, bytes: 0 });
  }

  /** The store has reached `revision` by writing `bytes` more. */
  note(revision: number, bytes: number, nowMs: number): void {
    this.#bytes += bytes;
    this.#revision = revision;
    const last = this.#marks.at(-1);
    if (last === undefined || nowMs - last.atMs >= markEveryMs) this.#marks.push({ atMs: nowMs, revision, bytes: this.#bytes });
  }

  /** History before this revision is to be forgotten. */
  horizon(nowMs: number): number {
    const { keepMs, maxRevisions, maxBytes, minRevisions } = this.#retention;
    const outdated = this.#marks.findLast((mark) => nowMs - mark.atMs >= keepMs)?.revision ?? 0;
    const oversized = this.#marks.findLast((mark) => this.#bytes - mark.bytes >= maxBytes)?.revision ?? 0;
    const horizon = Math.max(this.#revision - maxRevisions, Math.min(outdated, this.#revision - minRevisions), oversized, 0);
    while (this.#marks.length > 1 && (this.#marks[1]?.revision ?? 0) <= horizon) this.#marks.shift();
    return horizon;
  }
}
