import type { CelFunction } from './cel-function.ts';
import { addQuantities, compareQuantities, isQuantity, parseQuantity, subtractQuantities, type Quantity } from '#apis/meta/quantity.ts';

/** A quantity of Kubernetes, opaque to rules. */
export class QuantityValue {
  readonly value: Quantity;
  constructor(value: Quantity) {
    this.value = value;
  }
}

const nano = 1_000_000_000n;
/** Quantities are capped there: what is as large was larger. */
const largestInt = 2n ** 63n - 1n;
const whole = (value: bigint): Quantity => ({ nanos: value * nano, format: 'DecimalSI' });

export const quantityFunctions: readonly CelFunction[] = [
  ['isQuantity(string): bool', isQuantity],
  ['quantity(string): QuantityValue', (text: string) => new QuantityValue(parseQuantity(text))],
  ['QuantityValue.isLessThan(QuantityValue): bool', (a: QuantityValue, b: QuantityValue) => compareQuantities(a.value, b.value) < 0],
  ['QuantityValue.isGreaterThan(QuantityValue): bool', (a: QuantityValue, b: QuantityValue) => compareQuantities(a.value, b.value) > 0],
  ['QuantityValue.compareTo(QuantityValue): int', (a: QuantityValue, b: QuantityValue) => BigInt(compareQuantities(a.value, b.value))],
  [
    'QuantityValue.add(QuantityValue): QuantityValue',
    (a: QuantityValue, b: QuantityValue) => new QuantityValue(addQuantities(a.value, b.value)),
  ],
  [
    'QuantityValue.sub(QuantityValue): QuantityValue',
    (a: QuantityValue, b: QuantityValue) => new QuantityValue(subtractQuantities(a.value, b.value)),
  ],
  ['QuantityValue.add(int): QuantityValue', (a: QuantityValue, b: bigint) => new QuantityValue(addQuantities(a.value, whole(b)))],
  ['QuantityValue.sub(int): QuantityValue', (a: QuantityValue, b: bigint) => new QuantityValue(subtractQuantities(a.value, whole(b)))],
  ['QuantityValue.sign(): int', ({ value }: QuantityValue) => (value.nanos > 0n ? 1n : value.nanos < 0n ? -1n : 0n)],
  ['QuantityValue.isInteger(): bool', ({ value }: QuantityValue) => value.nanos % nano === 0n && value.nanos / nano < largestInt],
  ['QuantityValue.asInteger(): int', ({ value }: QuantityValue) => wholeUnits(value)],
  ['QuantityValue.asApproximateFloat(): double', ({ value }: QuantityValue) => Number(value.nanos) / 1e9],
];

function wholeUnits(value: Quantity): bigint {
  if (value.nanos % nano !== 0n) throw new Error('cannot convert value to integer');
  return value.nanos / nano;
}
