import { Duration } from '@marcbachmann/cel-js/evaluator';
import type { CelFunction } from './cel-function.ts';

export class SetsNamespace {
  readonly name = 'sets';
}

type Comparable = bigint | number | string | boolean | Date;
const compare = (a: Comparable, b: Comparable): number => (a < b ? -1 : a > b ? 1 : 0);

export const listFunctions: readonly CelFunction[] = [
  [
    'list<dyn>.isSorted(): bool',
    (list: Comparable[]) => list.every((item, index) => index === 0 || compare(list[index - 1] as Comparable, item) <= 0),
  ],
  ['list<int>.sum(): int', (list: bigint[]) => list.reduce((sum, item) => sum + item, 0n)],
  [
    'list<google.protobuf.Duration>.sum(): google.protobuf.Duration',
    (list: Duration[]) => list.reduce((sum, item) => sum.addDuration(item), new Duration(0n, 0)),
  ],
  ['list<double>.sum(): double', (list: number[]) => list.reduce((sum, item) => sum + item, 0)],
  ['list<int>.min(): int', (list: Comparable[]) => extreme(list, -1)],
  ['list<int>.max(): int', (list: Comparable[]) => extreme(list, 1)],
  ['list<double>.min(): double', (list: Comparable[]) => extreme(list, -1)],
  ['list<double>.max(): double', (list: Comparable[]) => extreme(list, 1)],
  ['list<string>.min(): string', (list: Comparable[]) => extreme(list, -1)],
  ['list<string>.max(): string', (list: Comparable[]) => extreme(list, 1)],
  ['list<dyn>.indexOf(dyn): int', (list: unknown[], item: unknown) => BigInt(list.findIndex((one) => celEqual(one, item)))],
  ['list<dyn>.lastIndexOf(dyn): int', (list: unknown[], item: unknown) => BigInt(list.findLastIndex((one) => celEqual(one, item)))],
  ['SetsNamespace.contains(list<dyn>, list<dyn>): bool', (_: unknown, list: unknown[], sub: unknown[]) => includesAll(list, sub)],
  [
    'SetsNamespace.equivalent(list<dyn>, list<dyn>): bool',
    (_: unknown, a: unknown[], b: unknown[]) => includesAll(a, b) && includesAll(b, a),
  ],
  [
    'SetsNamespace.intersects(list<dyn>, list<dyn>): bool',
    (_: unknown, a: unknown[], b: unknown[]) => a.some((one) => b.some((two) => celEqual(one, two))),
  ],
];

function extreme(list: readonly Comparable[], sign: number): Comparable {
  if (list.length === 0) throw new Error(`${sign < 0 ? 'min' : 'max'} called on empty list`);
  return list.reduce((best, item) => (compare(item, best) * sign > 0 ? item : best));
}

function includesAll(list: readonly unknown[], sub: readonly unknown[]): boolean {
  return sub.every((one) => list.some((two) => celEqual(one, two)));
}

/** Equality of CEL values as they are held here: scalars, dates, lists, maps and objects of a schema. */
export function celEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (a instanceof Date) return b instanceof Date && a.getTime() === b.getTime();
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((item, index) => celEqual(item, b[index]));
  if (a instanceof Map)
    return b instanceof Map && a.size === b.size && [...a].every(([key, value]) => b.has(key) && celEqual(value, b.get(key)));
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>];
  const keys = Object.keys(left);
  return keys.length === Object.keys(right).length && keys.every((key) => Object.hasOwn(right, key) && celEqual(left[key], right[key]));
}
