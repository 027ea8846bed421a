import { humanDuration } from '#apis/meta/human-duration.ts';

/** The age of an RFC 3339 time for a table: `5m`, `<unknown>` for none, `<invalid>` for what is no time. */
export function ageCell(timestamp: string | null | undefined, nowMs: number): string {
  if (timestamp === undefined || timestamp === null || timestamp === '') return '<unknown>';
  const then = Date.parse(timestamp);
  return Number.isNaN(then) ? '<invalid>' : humanDuration(nowMs - then);
}

/** The time between two RFC 3339 times; up to now while the second is missing, empty when the first is. */
export function durationCell(start: string | null | undefined, end: string | null | undefined, nowMs: number): string {
  if (start === undefined || start === null || start === '') return '';
  const until = end === undefined || end === null || end === '' ? nowMs : Date.parse(end);
  const ms = until - Date.parse(start);
  return Number.isNaN(ms) ? '<invalid>' : humanDuration(ms);
}
