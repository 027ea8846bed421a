import { canonicalQuantity, QuantityError } from '#apis/meta/quantity.ts';
import { goDurationMs } from '#core/duration.ts';

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
export const amount = (): ConfigKey<string> => ({
  default: '',
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
export const flag = (fallback: boolean): ConfigKey<boolean> => ({
  default: String(fallback),
  read(value, key) {
    if (/^(1|t|true)$/i.test(value)) return true;
    if (/^(0|f|false)$/i.test(value)) return false;
    throw new ConfigError(`failed to parse "${key}": strconv.ParseBool: parsing "${value}": invalid syntax`);
  },
});

export const integer = (fallback: number, range: { min?: number; max?: number } = {}): ConfigKey<number> => ({
  default: String(fallback),
  read(value, key) {
    if (!/^[+-]?\d+$/.test(value)) throw new ConfigError(`failed to parse "${key}": strconv.ParseInt: parsing "${value}": invalid syntax`);
    return inRange(Number(value), key, range);
  },
});

export const float = (fallback: number, range: { min?: number; max?: number } = {}): ConfigKey<number> => ({
  default: String(fallback),
  read(value, key) {
    const number = Number(value);
    if (value.trim() === '' || Number.isNaN(number))
      throw new ConfigError(`failed to parse "${key}": strconv.ParseFloat: parsing "${value}": invalid syntax`);
    return inRange(number, key, range);
  },
});

/** A Go duration; the value is in milliseconds. */
export const duration = (fallback: string, range: { min?: number; max?: number } = {}): ConfigKey<number> => ({
  default: fallback,
  read(value, key) {
    const ms = goDurationMs(value);
    if (ms === undefined) throw new ConfigError(`failed to parse "${key}": time: invalid duration ${JSON.stringify(value)}`);
    return inRange(ms, key, range);
  },
});

/** One of some words, compared without case; the value is the listed spelling. */
export const oneOf = <const W extends string>(words: readonly W[], fallback: W, aliases: readonly string[] = []): ConfigKey<W> => ({
  default: fallback,
  ...(aliases.length === 0 ? {} : { aliases }),
  read(value, key) {
    const word = words.find((candidate) => candidate.toLowerCase() === value.toLowerCase());
    if (word === undefined) throw new ConfigError(`invalid ${key} value: ${JSON.stringify(value)}, must be one of: ${words.join(', ')}`);
    return word;
  },
});

function inRange(value: number, key: string, { min = -Infinity, max = Infinity }: { min?: number; max?: number }): number {
  if (value < min || value > max) throw new ConfigError(`${key} = ${value}, must be in [${min}, ${max}] range`);
  return value;
}
