/** How a quantity was written; arithmetic keeps the form of its left side. */
export type QuantityFormat = 'DecimalSI' | 'BinarySI' | 'DecimalExponent';

/** An exact amount in billionths (the finest step Kubernetes keeps), with the form to print it in. */
export interface Quantity {
  readonly nano: bigint;
  readonly format: QuantityFormat;
}

const syntax = /^([+-]?)([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(.*)$/;
const decimalSuffixes = new Map<string, number>([
  ['n', -9],
  ['u', -6],
  ['m', -3],
  ['', 0],
  ['k', 3],
  ['M', 6],
  ['G', 9],
  ['T', 12],
  ['P', 15],
  ['E', 18],
]);
const binarySuffixes = new Map<string, number>([
  ['Ki', 10],
  ['Mi', 20],
  ['Gi', 30],
  ['Ti', 40],
  ['Pi', 50],
  ['Ei', 60],
]);
const nanoPerUnit = 1_000_000_000n;
const largest = (2n ** 63n - 1n) * nanoPerUnit;

/** Kubernetes' text for a quantity that cannot be read. */
export const quantityError = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

/** Reads a quantity; undefined when it is none. Parts finer than a billionth are rounded away from zero; huge ones capped. */
export function tryParseQuantity(value: unknown): Quantity | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') return undefined;
  const text = String(value);
  if (text.length > 64) return undefined;
  const match = syntax.exec(text);
  if (match === null) return undefined;
  const [, sign = '', digits = '', suffix = ''] = match;
  const scale = scaleOf(suffix);
  if (scale === undefined) return undefined;
  const [whole = '', fraction = ''] = digits.split('.');
  const mantissa = BigInt(whole + fraction);
  const nano = scaled(mantissa, scale.exponent10 - fraction.length + 9, scale.exponent2);
  return { nano: sign === '-' ? -nano : nano, format: scale.format };
}

/** Reads a quantity that validation has accepted; throws a RangeError for anything else. */
export function parseQuantity(value: string | number): Quantity {
  const quantity = tryParseQuantity(value);
  if (quantity === undefined) throw new RangeError(`"${value}": ${quantityError}`);
  return quantity;
}

/** Canonical text: no fraction, the largest suffix that needs none (`1500m`, `2Gi`). */
export function formatQuantity({ nano, format }: Quantity): string {
  if (nano === 0n) return '0';
  const magnitude = nano < 0n ? -nano : nano;
  const sign = nano < 0n ? '-' : '';
  if (format === 'BinarySI' && magnitude >= 1024n * nanoPerUnit) return sign + formatBinary(ceilDivide(magnitude, nanoPerUnit));
  return sign + formatDecimal(magnitude, format === 'DecimalExponent');
}

/** Whole units, rounded up, as `Quantity.Value()`. */
export const quantityValue = (quantity: Quantity): number => Number(roundUp(quantity.nano, nanoPerUnit));
/** Thousandths, rounded up, as `Quantity.MilliValue()`. */
export const quantityMilliValue = (quantity: Quantity): number => Number(roundUp(quantity.nano, 1_000_000n));

export const addQuantities = (left: Quantity, right: Quantity): Quantity => ({
  nano: left.nano + right.nano,
  format: left.nano === 0n ? right.format : left.format,
});

/** Negative, zero or positive, as `left` is smaller than, equal to or larger than `right`. */
export function compareQuantities(left: Quantity, right: Quantity): -1 | 0 | 1 {
  return left.nano < right.nano ? -1 : left.nano > right.nano ? 1 : 0;
}

interface Scale {
  exponent10: number;
  exponent2: number;
  format: QuantityFormat;
}

function scaleOf(suffix: string): Scale | undefined {
  const decimal = decimalSuffixes.get(suffix);
  if (decimal !== undefined) return { exponent10: decimal, exponent2: 0, format: 'DecimalSI' };
  const binary = binarySuffixes.get(suffix);
  if (binary !== undefined) return { exponent10: 0, exponent2: binary, format: 'BinarySI' };
  const exponent = /^[eE]([+-]?[0-9]{1,3})$/.exec(suffix)?.[1];
  return exponent === undefined ? undefined : { exponent10: Number(exponent), exponent2: 0, format: 'DecimalExponent' };
}

function scaled(mantissa: bigint, exponent10: number, exponent2: number): bigint {
  const product = mantissa << BigInt(exponent2);
  const nano = exponent10 >= 0 ? product * 10n ** BigInt(exponent10) : ceilDivide(product, 10n ** BigInt(-exponent10));
  return nano > largest ? largest : nano;
}

function formatDecimal(nano: bigint, exponential: boolean): string {
  let amount = nano;
  let exponent = -9;
  while (exponent < 18 && amount % 1000n === 0n) {
    amount /= 1000n;
    exponent += 3;
  }
  if (exponential) return exponent === 0 ? String(amount) : `${amount}e${exponent}`;
  for (const [suffix, power] of decimalSuffixes) if (power === exponent) return `${amount}${suffix}`;
  return String(amount);
}

function formatBinary(units: bigint): string {
  let amount = units;
  let text = '';
  for (const suffix of binarySuffixes.keys()) {
    if (amount % 1024n !== 0n) break;
    amount /= 1024n;
    text = suffix;
  }
  return `${amount}${text}`;
}

function ceilDivide(dividend: bigint, divisor: bigint): bigint {
  return (dividend + divisor - 1n) / divisor;
}

/** Division rounding away from zero, as Kubernetes rounds quantities. */
function roundUp(value: bigint, divisor: bigint): bigint {
  return value < 0n ? -ceilDivide(-value, divisor) : ceilDivide(value, divisor);
}
