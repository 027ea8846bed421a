import type { Writable } from 'node:stream';

/** An option of a command, as data: parsing, help, completion and the reference page derive from it. */
export interface Option {
  readonly name: string;
  readonly short?: string;
  readonly type: 'string' | 'boolean';
  readonly multiple?: boolean;
  readonly placeholder?: string;
  readonly summary: string;
  readonly default?: string;
  readonly choices?: readonly string[];
}

export interface Positional {
  readonly name: string;
  readonly summary: string;
  readonly optional?: boolean;
  readonly rest?: boolean;
}

export interface Invocation {
  readonly options: Readonly<Record<string, string | boolean | readonly string[] | undefined>>;
  readonly positionals: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly signal: AbortSignal;
}

/** A command or a group of commands (`commands` instead of `run`). */
export interface Command {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly summary: string;
  readonly description?: string;
  readonly positionals?: readonly Positional[];
  readonly options?: readonly Option[];
  readonly examples?: readonly string[];
  /** Not in help: for the program itself. */
  readonly hidden?: boolean;
  readonly commands?: readonly Command[];
  /** Resolves with the exit code, 0 when there is none. Loaded lazily so that starting a command costs only that command. */
  readonly run?: (invocation: Invocation) => Promise<number | void>;
}

export function textOption(invocation: Pick<Invocation, 'options'>, name: string): string | undefined {
  const value = invocation.options[name];
  return typeof value === 'string' ? value : undefined;
}

export function listOption(invocation: Pick<Invocation, 'options'>, name: string): readonly string[] {
  const value = invocation.options[name];
  if (Array.isArray(value)) return value as readonly string[];
  return typeof value === 'string' ? [value] : [];
}

export function flagOption(invocation: Pick<Invocation, 'options'>, name: string): boolean {
  return invocation.options[name] === true;
}

/** Loads a command's code only when the command runs. */
export function lazy(load: () => Promise<(invocation: Invocation) => Promise<number | void>>): NonNullable<Command['run']> {
  return async (invocation) => (await load())(invocation);
}
