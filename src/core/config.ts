import { UserError } from '#core/errors.ts';

/** One setting: where its value may come from and how its text is read. */
export interface Setting<T> {
  /** Command-line flag without dashes, e.g. `data-dir`. */
  readonly flag: string;
  /** Environment variable. */
  readonly env: string;
  /** Key in the configuration file; absent when a file cannot set it. */
  readonly key?: string;
  readonly summary: string;
  /** Shown in help instead of the value, e.g. `DIR`. */
  readonly placeholder?: string;
  readonly fallback: (environment: Environment) => T;
  /** Throws UserError when the text is not acceptable. */
  readonly read: (text: string, name: string) => T;
}

export type Settings = Readonly<Record<string, Setting<unknown>>>;
export type Values<S extends Settings> = { readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : never };
export type Environment = Readonly<Record<string, string | undefined>>;
export type Origin = 'flag' | 'environment' | 'file' | 'default';

export interface Resolved<S extends Settings> {
  readonly values: Values<S>;
  readonly origins: Readonly<Record<keyof S, Origin>>;
}

export interface ConfigSources {
  readonly flags: Readonly<Record<string, unknown>>;
  readonly environment: Environment;
  readonly file: Readonly<Record<string, unknown>>;
}

/** Resolves every setting once: flag, then environment, then file, then default. Unknown keys of the file are refused. */
export function resolveConfig<S extends Settings>(settings: S, { flags, environment, file }: ConfigSources): Resolved<S> {
  const known = new Set(Object.values(settings).flatMap(({ key }) => (key === undefined ? [] : [key])));
  for (const key of Object.keys(file)) {
    if (!known.has(key))
      throw new UserError(`the configuration file has an unknown key ${JSON.stringify(key)}`, {
        hint: `Known keys: ${[...known].join(', ')}`,
      });
  }
  const values: Record<string, unknown> = {};
  const origins: Record<string, Origin> = {};
  for (const [name, setting] of Object.entries(settings)) {
    const found = lookup(setting, flags, environment, file);
    values[name] = found === undefined ? setting.fallback(environment) : setting.read(found.text, found.name);
    origins[name] = found?.origin ?? 'default';
  }
  return { values: values as Values<S>, origins: origins as Resolved<S>['origins'] };
}

function lookup(
  setting: Setting<unknown>,
  flags: ConfigSources['flags'],
  environment: Environment,
  file: ConfigSources['file'],
): { text: string; name: string; origin: Origin } | undefined {
  const flag = flags[setting.flag];
  if (flag !== undefined) return { text: asText(flag), name: `--${setting.flag}`, origin: 'flag' };
  const variable = environment[setting.env];
  if (variable !== undefined && variable !== '') return { text: variable, name: setting.env, origin: 'environment' };
  const entry = setting.key === undefined ? undefined : file[setting.key];
  if (entry !== undefined && entry !== null) return { text: asText(entry), name: `${setting.key} (configuration file)`, origin: 'file' };
  return undefined;
}

/** A flag's or file's value as text; lists and maps are no setting's value and read as their JSON. */
function asText(value: unknown): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value as string | number | boolean);
}

export function readPort(text: string, name: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65535)
    throw new UserError(`${name}: ${JSON.stringify(text)} is not a port`, { hint: 'A port is a number from 0 (any free one) to 65535.' });
  return port;
}

export function readChoice<const T extends string>(choices: readonly T[]): (text: string, name: string) => T {
  return (text, name) => {
    const found = choices.find((choice) => choice === text);
    if (found === undefined) throw new UserError(`${name}: ${JSON.stringify(text)} is not one of ${choices.join(', ')}`);
    return found;
  };
}
