import type { Retention } from './retention.ts';
import type { Outcome } from './sqlite-log.ts';
import type { StorageFailure, Write } from './storage.ts';

/** What the writer thread is started with. */
export type ThreadTask =
  | { readonly task: 'write'; readonly file: string; readonly retention: Retention }
  /** Copies the data file as of now to `toFile`, then ends. */
  | { readonly task: 'backup'; readonly file: string; readonly toFile: string };

/** To the writer thread. Writes are answered in the order they were sent. */
export type Request =
  | { readonly type: 'writes'; readonly writes: readonly Write[] }
  | { readonly type: 'compact'; readonly revision: number }
  /** Finish what was sent before, close the file, end. */
  | { readonly type: 'close' };

/** From the writer thread. */
export type Reply =
  | { readonly type: 'opened'; readonly revision: number; readonly compacted: number }
  /** The next `outcomes.length` writes are durable (or were refused by their condition). */
  | { readonly type: 'committed'; readonly outcomes: readonly Outcome[] }
  /** The next `count` writes were not made; writing may go on. */
  | { readonly type: 'rejected'; readonly count: number; readonly failure: FailureText }
  | { readonly type: 'compacted'; readonly compacted: number }
  /** Housekeeping failed; it is tried again later. */
  | { readonly type: 'warning'; readonly message: string; readonly failure: FailureText }
  /** Nothing more will be done; the thread ends. */
  | { readonly type: 'failed'; readonly failure: FailureText };

/** A StorageFailure on its way between threads. */
export interface FailureText {
  readonly code: StorageFailure['code'];
  readonly message: string;
}
