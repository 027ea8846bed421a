import type { Clock } from '#core/clock.ts';

/** What is told that its time is up. */
export interface Expirable {
  expired(deadline: Deadline): void;
}

/** One deadline of something; reused for as long as its owner lives. */
export class Deadline {
  at = 0;
  list: DeadlineList | null = null;
  previous: Deadline | null = null;
  next: Deadline | null = null;
  readonly owner: Expirable;

  constructor(owner: Expirable) {
    this.owner = owner;
  }

  cancel(): void {
    this.list?.remove(this);
  }
}

/**
 * Deadlines of one duration, in the order they were set, which is the order they expire in: setting and cancelling cost a few
 * pointer moves, and one timer serves all. A deadline fires at most `slackMs` late.
 */
export class DeadlineList {
  readonly durationMs: number;
  readonly #clock: Clock;
  readonly #slackMs: number;
  #first: Deadline | null = null;
  #last: Deadline | null = null;
  #armed = false;

  constructor(clock: Clock, durationMs: number) {
    this.#clock = clock;
    this.durationMs = durationMs;
    this.#slackMs = Math.min(50, durationMs / 20);
  }

  /** Sets (or sets again) the deadline to `durationMs` after `now`. */
  set(deadline: Deadline, now: number): void {
    if (deadline.list !== null) deadline.list.remove(deadline);
    deadline.at = now + this.durationMs;
    deadline.list = this;
    deadline.previous = this.#last;
    if (this.#last === null) this.#first = deadline;
    else this.#last.next = deadline;
    this.#last = deadline;
    if (!this.#armed) this.#arm(this.durationMs);
  }

  remove(deadline: Deadline): void {
    const { previous, next } = deadline;
    if (previous === null) this.#first = next;
    else previous.next = next;
    if (next === null) this.#last = previous;
    else next.previous = previous;
    deadline.previous = null;
    deadline.next = null;
    deadline.list = null;
  }

  #arm(delayMs: number): void {
    this.#armed = true;
    this.#clock.after(Math.ceil(delayMs), () => {
      this.#armed = false;
      this.#expire();
    });
  }

  #expire(): void {
    const now = this.#clock.monotonic();
    for (let first = this.#first; first !== null && first.at <= now + 0.5; first = this.#first) {
      this.remove(first);
      first.owner.expired(first);
    }
    if (this.#first !== null && !this.#armed) this.#arm(Math.max(this.#first.at - now, this.#slackMs));
  }
}

/** One list per duration. */
export class Deadlines {
  readonly #clock: Clock;
  readonly #lists = new Map<number, DeadlineList>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  of(durationMs: number): DeadlineList {
    let list = this.#lists.get(durationMs);
    if (list === undefined) {
      list = new DeadlineList(this.#clock, durationMs);
      this.#lists.set(durationMs, list);
    }
    return list;
  }
}
