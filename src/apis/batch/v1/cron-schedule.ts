const macros = new Set(['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly']);
const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const days = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const fields: readonly { low: number; high: number; names?: readonly string[] }[] = [
  { low: 0, high: 59 },
  { low: 0, high: 23 },
  { low: 1, high: 31 },
  { low: 1, high: 12, names: months },
  { low: 0, high: 6, names: days },
];

/** What is wrong with a cron schedule of five fields or a macro such as `@daily` (robfig/cron's wording); undefined when nothing is. */
export function cronScheduleError(schedule: string): string | undefined {
  if (schedule.startsWith('@')) {
    if (macros.has(schedule) || /^@every \d+(\.\d+)?(h|m|s|ms)(\d+(\.\d+)?(h|m|s|ms))*$/.test(schedule)) return undefined;
    return `unrecognized descriptor: ${schedule}`;
  }
  const parts = schedule.trim().split(/\s+/);
  if (parts.length !== 5) return `expected exactly 5 fields, found ${parts.length}: [${parts.join(' ')}]`;
  for (const [index, part] of parts.entries()) {
    for (const range of part.split(',')) {
      const error = rangeError(range, fields[index] ?? { low: 0, high: 0 });
      if (error !== undefined) return error;
    }
  }
  return undefined;
}

function rangeError(range: string, { low, high, names }: (typeof fields)[number]): string | undefined {
  const [span = '', step, ...rest] = range.split('/');
  if (rest.length > 0) return `too many slashes: ${range}`;
  if (step !== undefined && !/^\d+$/.test(step))
    return `failed to parse int from ${step}: strconv.Atoi: parsing ${JSON.stringify(step)}: invalid syntax`;
  if (step !== undefined && Number(step) === 0) return `step of range should be a positive number: ${range}`;
  if (span === '*' || span === '?') return undefined;
  const [first = '', last = first, ...more] = span.split('-');
  if (more.length > 0) return `too many hyphens: ${range}`;
  const numbers = [first, last].map((text) => numberOf(text, names));
  const bad = [first, last].find((_, index) => Number.isNaN(numbers[index]));
  if (bad !== undefined) return `failed to parse int from ${bad}: strconv.Atoi: parsing ${JSON.stringify(bad)}: invalid syntax`;
  const [start = 0, end = 0] = numbers;
  if (start < low) return `beginning of range (${start}) below minimum (${low}): ${range}`;
  if (end > high) return `end of range (${end}) above maximum (${high}): ${range}`;
  return start > end ? `beginning of range (${start}) beyond end of range (${end}): ${range}` : undefined;
}

function numberOf(text: string, names: readonly string[] | undefined): number {
  const index = names?.indexOf(text.toLowerCase()) ?? -1;
  if (index >= 0) return names === months ? index + 1 : index;
  return /^\d+$/.test(text) ? Number(text) : Number.NaN;
}
