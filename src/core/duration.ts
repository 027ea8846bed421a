/** Go's time.Duration in text, as in metav1.Duration, Knative annotations and kubectl flags. */

const unitNanos: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};
const maxNanos = (1n << 63n) - 1n;

/** A text that is no Go duration; the message is Go's. */
export class DurationError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'DurationError';
  }
}

/** Nanoseconds of a text such as `1h2m3.5s`; fractions below a nanosecond are cut. Throws DurationError. */
export function parseGoDuration(text: string): bigint {
  const nanos = readGoDuration(text);
  if (typeof nanos === 'string') throw new DurationError(`time: ${nanos} ${JSON.stringify(text)}`);
  return nanos;
}

/** Milliseconds of a Go duration (`1h30m`, `1.5s`, `0`, `-2m`); undefined when the text is none. */
export function goDurationMs(text: string): number | undefined {
  const nanos = readGoDuration(text);
  return typeof nanos === 'string' ? undefined : Number(nanos) / 1e6;
}

const invalid = 'invalid duration';

/** Nanoseconds, or what is wrong with the text: absent annotations are looked at all the time, which must not cost an Error each. */
function readGoDuration(text: string): bigint | string {
  const negative = text.startsWith('-');
  const body = negative || text.startsWith('+') ? text.slice(1) : text;
  if (body === '0') return 0n;
  if (body === '' || body.length > 256) return invalid;
  let total = 0n;
  let at = 0;
  const part = /(\d*)(?:\.(\d*))?([^\d.]*)/y;
  while (at < body.length) {
    part.lastIndex = at;
    const [whole = '', integer = '', fraction = '', unit = ''] = part.exec(body) ?? [];
    if (whole === '' || (integer === '' && fraction === '')) return invalid;
    if (unit === '') return 'missing unit in duration';
    const nanos = Object.hasOwn(unitNanos, unit) ? unitNanos[unit] : undefined;
    if (nanos === undefined) return `unknown unit ${JSON.stringify(unit)} in duration`;
    total += BigInt(integer === '' ? '0' : integer) * nanos;
    if (fraction !== '') total += (BigInt(fraction) * nanos) / 10n ** BigInt(fraction.length);
    if (total > maxNanos + (negative ? 1n : 0n)) return invalid;
    at += whole.length;
  }
  return negative ? -total : total;
}

/** Go's own form of a duration: `1h2m3.5s`, `1.5ms`, `0s`. */
export function formatGoDuration(nanos: bigint): string {
  if (nanos === 0n) return '0s';
  const sign = nanos < 0n ? '-' : '';
  const rest = nanos < 0n ? -nanos : nanos;
  if (rest < 1_000n) return `${sign}${rest}ns`;
  if (rest < 1_000_000n) return `${sign}${decimal(rest, 1_000n)}µs`;
  if (rest < 1_000_000_000n) return `${sign}${decimal(rest, 1_000_000n)}ms`;
  const minutes = rest / 60_000_000_000n;
  const seconds = `${decimal(rest % 60_000_000_000n, 1_000_000_000n)}s`;
  if (minutes === 0n) return sign + seconds;
  const hours = minutes / 60n;
  return hours === 0n ? `${sign}${minutes}m${seconds}` : `${sign}${hours}h${minutes % 60n}m${seconds}`;
}

function decimal(value: bigint, unit: bigint): string {
  const fraction = value % unit;
  if (fraction === 0n) return String(value / unit);
  const digits = String(fraction).padStart(String(unit).length - 1, '0');
  return `${value / unit}.${digits.replace(/0+$/, '')}`;
}
