/**
 * resource.Quantity: exact decimal numbers with the suffix they were written with.
 *
 * The value is kept in nano units, Kubernetes' own limit of precision: finer fractions round away from zero, as there.
 */
export interface Quantity {
  /** The value times 10⁹. */
  readonly nanos: bigint;
  readonly format: QuantityFormat;
}
export type QuantityFormat = 'DecimalSI' | 'BinarySI' | 'DecimalExponent';

const nano = 1_000_000_000n;
const maxNanos = ((1n << 63n) - 1n) * nano;
const maxText = 64;
const shape = /^([+-]?)(\d*)(?:\.(\d*))?(?:([eE])([+-]?\d+)|(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]))?$/;
const decimalSuffixes = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'];
const binarySuffixes = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];

/** Kubernetes' text for a quantity that cannot be read. */
export const quantityError = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

/** A text that is no quantity; the message is Kubernetes'. */
export class QuantityError extends Error {
  constructor(message = quantityError) {
    super(message);
    this.name = 'QuantityError';
  }
}

/** Reads `100m`, `1.5Gi`, `1e3`, `2`; numbers count as their decimal text. Throws QuantityError. */
export function parseQuantity(input: string | number): Quantity {
  const text = typeof input === 'number' ? numberText(input) : input;
  const match = text.length > maxText ? null : shape.exec(text);
  if (match === null) throw new QuantityError();
  const [, sign, integer = '', fraction = '', exponentMark, exponentText, suffix = ''] = match;
  if (integer === '' && fraction === '') throw new QuantityError();
  const digits = BigInt(integer + fraction);
  const exponent = exponentText === undefined ? 0 : Number(exponentText);
  if (Math.abs(exponent) > 99) throw new QuantityError("unable to parse quantity's suffix");
  const binaryPower = suffix.endsWith('i') ? binarySuffixes.indexOf(suffix) : 0;
  const decimalPower = exponent + (suffix === '' || suffix.endsWith('i') ? 0 : (decimalSuffixes.indexOf(suffix) - 3) * 3);
  const scaled = scale((digits * nano) << BigInt(10 * binaryPower), decimalPower - fraction.length);
  const format = exponentMark === undefined ? (binaryPower > 0 ? 'BinarySI' : 'DecimalSI') : 'DecimalExponent';
  const capped = format === 'BinarySI' && scaled > maxNanos ? maxNanos : scaled;
  return { nanos: sign === '-' ? -capped : capped, format };
}

/** The quantity, or undefined where the text is none. */
export function tryParseQuantity(input: unknown): Quantity | undefined {
  if (typeof input !== 'string' && typeof input !== 'number') return undefined;
  try {
    return parseQuantity(input);
  } catch (error) {
    if (error instanceof QuantityError) return undefined;
    throw error;
  }
}

export function isQuantity(input: unknown): input is string | number {
  return tryParseQuantity(input) !== undefined;
}

/** Negative, zero or positive as `a` is less than, equal to or greater than `b`. */
export function compareQuantities(a: Quantity, b: Quantity): -1 | 0 | 1 {
  return a.nanos === b.nanos ? 0 : a.nanos < b.nanos ? -1 : 1;
}

/** The sum, in the format of `a` unless `a` is zero. */
export function addQuantities(a: Quantity, b: Quantity): Quantity {
  return { nanos: a.nanos + b.nanos, format: a.nanos === 0n ? b.format : a.format };
}

/** The difference, in the format of `a` unless `a` is zero. */
export function subtractQuantities(a: Quantity, b: Quantity): Quantity {
  return { nanos: a.nanos - b.nanos, format: a.nanos === 0n ? b.format : a.format };
}

/**
 * The canonical text: no fraction digits, the largest suffix that needs none. A binary quantity that is no whole number
 * or is smaller than 1024 falls back to decimal suffixes, as in Kubernetes.
 */
export function formatQuantity(quantity: Quantity): string {
  const { nanos, format } = quantity;
  if (nanos === 0n) return '0';
  const size = nanos < 0n ? -nanos : nanos;
  const sign = nanos < 0n ? '-' : '';
  if (format === 'BinarySI' && size >= 1024n * nano && size % nano === 0n) {
    let value = size / nano;
    let power = 0;
    while (power < binarySuffixes.length - 1 && value % 1024n === 0n) {
      value /= 1024n;
      power += 1;
    }
    return `${sign}${value}${binarySuffixes[power]}`;
  }
  let value = size;
  let power = 0;
  while (power < decimalSuffixes.length - 1 && value % 1000n === 0n) {
    value /= 1000n;
    power += 1;
  }
  if (format !== 'DecimalExponent') return `${sign}${value}${decimalSuffixes[power]}`;
  const exponent = (power - 3) * 3;
  return exponent === 0 ? `${sign}${value}` : `${sign}${value}e${exponent}`;
}

const plainlyCanonical = /^[1-9]\d{0,2}(?:[mkMGTP]|[KMGTP]i)?$/;

/** The canonical text of a quantity given as text or number. Throws QuantityError. */
export function canonicalQuantity(input: string | number): string {
  if (typeof input === 'string' && plainlyCanonical.test(input)) return input;
  return formatQuantity(parseQuantity(input));
}

/** The nearest double; exact for what fits one. */
export function quantityToNumber(quantity: Quantity): number {
  const whole = quantity.nanos / nano;
  return Number(whole) + Number(quantity.nanos - whole * nano) / 1e9;
}

/** Whole units, rounded away from zero (Quantity.Value). */
export function quantityValue(quantity: Quantity): number {
  return Number(divideUp(quantity.nanos, nano));
}

/** Thousandths, rounded away from zero (Quantity.MilliValue): CPU millicores. */
export function quantityMilliValue(quantity: Quantity): number {
  return Number(divideUp(quantity.nanos, 1_000_000n));
}

function numberText(value: number): string {
  if (!Number.isFinite(value)) throw new QuantityError();
  return String(value).replace('e+', 'e');
}

/** `value` × 10^`power`; a remainder rounds away from zero. */
function scale(value: bigint, power: number): bigint {
  if (power >= 0) return value * 10n ** BigInt(power);
  return divideUp(value, 10n ** BigInt(-power));
}

function divideUp(value: bigint, by: bigint): bigint {
  const rest = value % by;
  return value / by + (rest > 0n ? 1n : rest < 0n ? -1n : 0n);
}
