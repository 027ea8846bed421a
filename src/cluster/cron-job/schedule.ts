import { parseGoDuration } from '#core/duration.ts';

/** The next time after `afterMs` (milliseconds since the epoch); undefined when there is none in five years. */
export type Schedule = (afterMs: number) => number | undefined;

const minuteMs = 60_000;
const dayMs = 86_400_000;
const horizonMs = 5 * 366 * dayMs;
const macros: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};
const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const days = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

/** Reads a schedule that validation has accepted, in a time zone of the IANA database (UTC when none is given). */
export function parseSchedule(text: string, timeZone = 'UTC'): Schedule {
  const every = /^@every (.+)$/.exec(text)?.[1];
  if (every !== undefined) {
    const delayMs = Math.max(1000, Math.floor(Number(parseGoDuration(every)) / 1e9) * 1000);
    return (afterMs) => Math.floor((afterMs + delayMs) / 1000) * 1000;
  }
  const [minutes = '*', hours = '*', monthDays = '*', monthNames = '*', weekDays = '*'] = (macros[text] ?? text).trim().split(/\s+/);
  const fields = {
    minutes: valuesOf(minutes, 0, 59),
    hours: valuesOf(hours, 0, 23),
    monthDays: valuesOf(monthDays, 1, 31),
    months: valuesOf(monthNames, 1, 12, months, 1),
    weekDays: valuesOf(weekDays, 0, 6, days, 0),
    // Where both days are given either will do; where one is open the other decides.
    eitherDay: !isOpen(monthDays) && !isOpen(weekDays),
  };
  const offsetMs = offsetsOf(timeZone);
  return (afterMs) => nextTime(fields, offsetMs, afterMs);
}

interface Fields {
  readonly minutes: ReadonlySet<number>;
  readonly hours: ReadonlySet<number>;
  readonly monthDays: ReadonlySet<number>;
  readonly months: ReadonlySet<number>;
  readonly weekDays: ReadonlySet<number>;
  readonly eitherDay: boolean;
}

/** The wall clock is walked as if it were UTC, in the largest steps that miss nothing. */
function nextTime(fields: Fields, offsetMs: (utcMs: number) => number, afterMs: number): number | undefined {
  const endMs = afterMs + horizonMs;
  let wallMs = (Math.floor((afterMs + offsetMs(afterMs)) / minuteMs) + 1) * minuteMs;
  for (;;) {
    const wall = new Date(wallMs);
    if (wallMs > endMs) return undefined;
    if (!fields.months.has(wall.getUTCMonth() + 1)) wallMs = Date.UTC(wall.getUTCFullYear(), wall.getUTCMonth() + 1, 1);
    else if (!isDay(fields, wall)) wallMs = (Math.floor(wallMs / dayMs) + 1) * dayMs;
    else if (!fields.hours.has(wall.getUTCHours())) wallMs = (Math.floor(wallMs / (60 * minuteMs)) + 1) * 60 * minuteMs;
    else if (!fields.minutes.has(wall.getUTCMinutes())) wallMs += minuteMs;
    else {
      const utcMs = wallMs - offsetMs(wallMs - offsetMs(wallMs));
      // A wall clock that is set back shows times again, one that is set forward leaves some out.
      if (utcMs > afterMs && utcMs + offsetMs(utcMs) === wallMs) return utcMs;
      wallMs += minuteMs;
    }
  }
}

function isDay({ monthDays, weekDays, eitherDay }: Fields, wall: Date): boolean {
  const [inMonth, inWeek] = [monthDays.has(wall.getUTCDate()), weekDays.has(wall.getUTCDay())];
  return eitherDay ? inMonth || inWeek : inMonth && inWeek;
}

const isOpen = (field: string): boolean => /^[*?](?:\/1)?$/.test(field);

function valuesOf(field: string, low: number, high: number, names: readonly string[] = [], firstName = 0): ReadonlySet<number> {
  const numberOf = (text: string) => (names.includes(text.toLowerCase()) ? names.indexOf(text.toLowerCase()) + firstName : Number(text));
  const values = new Set<number>();
  for (const range of field.split(',')) {
    const [span = '', step] = range.split('/');
    const [first = '', last] = span.split('-');
    const open = first === '*' || first === '?';
    const from = open ? low : numberOf(first);
    const to = open || (last === undefined && step !== undefined) ? high : numberOf(last ?? first);
    for (let value = from; value <= to; value += Number(step ?? 1)) values.add(value);
  }
  return values;
}

/** How far a zone's wall clock is ahead of UTC at a time. */
function offsetsOf(timeZone: string): (utcMs: number) => number {
  if (timeZone === 'UTC') return () => 0;
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  return (utcMs) => {
    const parts = new Map(format.formatToParts(utcMs).map(({ type, value }) => [type, Number(value)]));
    const part = (type: Intl.DateTimeFormatPartTypes) => parts.get(type) ?? 0;
    const wall = Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second'));
    return wall - Math.floor(utcMs / 1000) * 1000;
  };
}

/** The latest time after `afterMs` that is not in the future; undefined when there is none. */
export function latestDue(next: Schedule, afterMs: number, nowMs: number): number | undefined {
  for (const backMs of [2 * minuteMs, 60 * minuteMs, dayMs, 32 * dayMs, horizonMs]) {
    let due = next(Math.max(afterMs, nowMs - backMs));
    if (due === undefined || due > nowMs) {
      if (nowMs - backMs <= afterMs) return undefined;
      continue;
    }
    for (let later = next(due); later !== undefined && later <= nowMs; later = next(due)) due = later;
    return due;
  }
  return undefined;
}
