import type { CelFunction } from './cel-function.ts';

const strict = /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$/;

/** A version of semver.org 2.0.0; opaque to rules. Build metadata does not count. */
export class SemverValue {
  readonly numbers: readonly bigint[];
  readonly prerelease: readonly string[];

  constructor(text: string) {
    const match = strict.exec(text);
    const prerelease = match?.[4]?.split('.') ?? [];
    if (match === null || prerelease.some((part) => part === '' || /^0\d+$/.test(part)))
      throw new Error(`Invalid semantic version ${JSON.stringify(text)}`);
    this.numbers = match.slice(1, 4).map(BigInt);
    this.prerelease = prerelease;
  }

  /** Takes `v1.2`, `01.2.3` and the like for what they mean. */
  static normalized(text: string): SemverValue {
    const [, core = '', rest = ''] = /^v?([^-+]*)(.*)$/.exec(text) ?? [];
    const parts = core.split('.').map((part) => part.replace(/^0+(?=\d)/, ''));
    while (parts.length < 3) parts.push('0');
    return new SemverValue(`${parts.join('.')}${rest}`);
  }

  compareTo(other: SemverValue): number {
    for (const [index, number] of this.numbers.entries()) {
      const theirs = other.numbers[index] ?? 0n;
      if (number !== theirs) return number < theirs ? -1 : 1;
    }
    return comparePrereleases(this.prerelease, other.prerelease);
  }
}

/** None is more than any; numbers are less than words; of equal beginnings the longer is more. */
function comparePrereleases(left: readonly string[], right: readonly string[]): number {
  if (left.length === 0 || right.length === 0) return Math.sign(right.length - left.length);
  for (let index = 0; index < Math.min(left.length, right.length); index += 1) {
    const order = compareIdentifiers(left[index] ?? '', right[index] ?? '');
    if (order !== 0) return order;
  }
  return Math.sign(left.length - right.length);
}

function compareIdentifiers(left: string, right: string): number {
  const [leftNumber, rightNumber] = [/^\d+$/.test(left), /^\d+$/.test(right)];
  if (leftNumber !== rightNumber) return leftNumber ? -1 : 1;
  if (leftNumber) return BigInt(left) < BigInt(right) ? -1 : BigInt(left) > BigInt(right) ? 1 : 0;
  return left < right ? -1 : left > right ? 1 : 0;
}

function isSemver(read: () => SemverValue): boolean {
  try {
    return read() instanceof SemverValue;
  } catch {
    return false;
  }
}

const parse = (text: string, normalize = false): SemverValue => (normalize ? SemverValue.normalized(text) : new SemverValue(text));

export const semverFunctions: readonly CelFunction[] = [
  ['isSemver(string): bool', (text: string) => isSemver(() => parse(text))],
  ['isSemver(string, bool): bool', (text: string, normalize: boolean) => isSemver(() => parse(text, normalize))],
  ['semver(string): SemverValue', (text: string) => parse(text)],
  ['semver(string, bool): SemverValue', (text: string, normalize: boolean) => parse(text, normalize)],
  ['SemverValue.major(): int', ({ numbers }: SemverValue) => numbers[0] ?? 0n],
  ['SemverValue.minor(): int', ({ numbers }: SemverValue) => numbers[1] ?? 0n],
  ['SemverValue.patch(): int', ({ numbers }: SemverValue) => numbers[2] ?? 0n],
  ['SemverValue.compareTo(SemverValue): int', (a: SemverValue, b: SemverValue) => BigInt(a.compareTo(b))],
  ['SemverValue.isLessThan(SemverValue): bool', (a: SemverValue, b: SemverValue) => a.compareTo(b) < 0],
  ['SemverValue.isGreaterThan(SemverValue): bool', (a: SemverValue, b: SemverValue) => a.compareTo(b) > 0],
];
