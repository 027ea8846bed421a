import { canonicalQuantity, QuantityError } from '#apis/meta/quantity.ts';
import { DurationError, parseGoDuration } from '#core/duration.ts';

/** One key of a `config-*` ConfigMap: its default as text and how its text is read. `read` throws ConfigError. */
export interface ConfigKey<T> {
  readonly default: string;
  /** Older spellings still accepted. */
  readonly aliases?: readonly string[];
  read(text: string, key: string): T;
}

export type ConfigTable = Readonly<Record<string, ConfigKey<unknown>>>;
export type ConfigOf<T extends ConfigTable> = { readonly [K in keyof T]: T[K] extends ConfigKey<infer V> ? V : never };
export type ConfigData = Readonly<Record<string, string>>;

/** A ConfigMap holds a value that cannot be used; the message names the key, as Knative's config webhook does. */
export class ConfigError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ConfigError';
  }
}

/** Fails with the first text whose condition holds. */
export function refuse(...reasons: readonly (readonly [is: boolean, text: string])[]): void {
  const found = reasons.find(([is]) => is);
  if (found !== undefined) throw new ConfigError(found[1]);
}

/** Reads a ConfigMap by its table: unknown keys are ignored, missing and empty ones take the default. */
export function readConfig<T extends ConfigTable>(table: T, data: ConfigData | undefined): ConfigOf<T> {
  const result: Record<string, unknown> = {};
  for (const [key, entry] of Object.entries(table)) {
    const { default: fallback, aliases = [] } = entry;
    const text = [key, ...aliases].map((name) => data?.[name]).find((value) => value !== undefined && value !== '') ?? fallback;
    result[key] = entry.read(text, key);
  }
  return result as ConfigOf<T>;
}

export const text = (fallback: string, aliases?: readonly string[]): ConfigKey<string> => ({
  default: fallback,
  ...(aliases === undefined ? {} : { aliases }),
  read: (value) => value,
});

/** A quantity in its canonical form; empty: none. */
export const amount = (fallback = '', aliases: readonly string[] = []): ConfigKey<string> => ({
  default: fallback,
  ...(aliases.length === 0 ? {} : { aliases }),
  read(value, key) {
    try {
      return value === '' ? '' : canonicalQuantity(value);
    } catch (error) {
      if (error instanceof QuantityError) throw new ConfigError(`failed to parse "${key}": ${error.message}`);
      throw error;
    }
  },
});

/** Go's boolean words. */
export const flag = (fallback: boolean, aliases: readonly string[] = []): ConfigKey<boolean> => ({
  default: String(fallback),
  ...(aliases.length === 0 ? {} : { aliases }),
  read(value, key) {
    if (/^(1|t|true)$/i.test(value)) return true;
    if (/^(0|f|false)$/i.test(value)) return false;
    throw new ConfigError(`failed to parse "${key}": strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`);
  },
});

export const integer = (fallback: number, aliases: readonly string[] = [], bits: 32 | 64 = 64): ConfigKey<number> => ({
  default: String(fallback),
  ...(aliases.length === 0 ? {} : { aliases }),
  read(value, key) {
    const problem = (text: string) =>
      new ConfigError(`failed to parse "${key}": strconv.ParseInt: parsing ${JSON.stringify(value)}: ${text}`);
    if (!/^[+-]?\d+$/.test(value)) throw problem('invalid syntax');
    const number = Number(value);
    const limit = 2 ** (bits - 1);
    if (number >= limit || number < -limit) throw problem('value out of range');
    return number;
  },
});
export const int32 = (fallback: number): ConfigKey<number> => integer(fallback, [], 32);

export const float = (fallback: number): ConfigKey<number> => ({
  default: String(fallback),
  read(value, key) {
    const number = Number(value);
    if (value.trim() === '' || Number.isNaN(number))
      throw new ConfigError(`failed to parse "${key}": strconv.ParseFloat: parsing ${JSON.stringify(value)}: invalid syntax`);
    return number;
  },
});

/** A share: percent, or for old times' sake a number of at most 1; the value is in percent. */
export const percentage = (fallback: number): ConfigKey<number> => {
  const number = float(fallback);
  return {
    default: number.default,
    read(value, key) {
      const read = number.read(value, key);
      return read > 1 ? read : read * 100;
    },
  };
};

/** A Go duration; the value is in milliseconds. */
export const duration = (fallback: string, aliases: readonly string[] = []): ConfigKey<number> => ({
  default: fallback,
  ...(aliases.length === 0 ? {} : { aliases }),
  read(value, key) {
    try {
      return Number(parseGoDuration(value)) / 1e6;
    } catch (error) {
      if (error instanceof DurationError) throw new ConfigError(`failed to parse "${key}": ${error.message}`);
      throw error;
    }
  },
});

/** One of some words, compared without case; the value is the listed spelling. */
export const oneOf = <const W extends string>(
  words: readonly W[],
  fallback: W,
  aliases: readonly string[] = [],
  refusal = (key: string, value: string) => `invalid ${key} value: ${JSON.stringify(value)}, must be one of: ${words.join(', ')}`,
): ConfigKey<W> => ({
  default: fallback,
  ...(aliases.length === 0 ? {} : { aliases }),
  read(value, key) {
    const word = words.find((candidate) => candidate.toLowerCase() === value.toLowerCase());
    if (word === undefined) throw new ConfigError(refusal(key, value));
    return word;
  },
});
