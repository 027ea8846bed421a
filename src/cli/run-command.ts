import { parseArgs, type ParseArgsConfig } from 'node:util';
import { fileError, UserError } from '#core/errors.ts';
import type { Command, Invocation, Option } from '#cli/command.ts';
import { helpText, usage } from '#cli/help.ts';
import { refusal } from '#cli/refusal.ts';

type Surroundings = Pick<Invocation, 'environment' | 'stdout' | 'stderr' | 'signal'>;

/** Options every command has. */
export const globalOptions: readonly Option[] = [{ name: 'help', short: 'h', type: 'boolean', summary: 'Show this help' }];

/** Finds the command, reads its arguments and runs it. UserErrors are printed without a stack; the exit code comes back. */
export async function runCommand(root: Command, words: readonly string[], surroundings: Surroundings): Promise<number> {
  // "help deploy" is typed as often as "deploy --help".
  const { path, rest } = findCommand(root, words[0] === 'help' ? [...words.slice(1), '--help'] : words);
  const command = path.at(-1) ?? root;
  try {
    if (command.run === undefined) {
      const unknown = rest.find((word) => !word.startsWith('-'));
      if (unknown !== undefined) throw unknownCommand(path, unknown);
      parse(path, rest, surroundings);
      surroundings.stdout.write(helpText(path));
      return 0;
    }
    const invocation = parse(path, rest, surroundings);
    if (invocation.options['help'] === true) {
      surroundings.stdout.write(helpText(path));
      return 0;
    }
    checkPositionals(path, invocation);
    return (await command.run(invocation)) ?? 0;
  } catch (error) {
    return report(error, path, surroundings);
  }
}

function findCommand(root: Command, words: readonly string[]): { path: Command[]; rest: string[] } {
  const path = [root];
  let rest = [...words];
  for (;;) {
    const [word, ...more] = rest;
    const next = path.at(-1)?.commands?.find(({ name, aliases = [] }) => name === word || aliases.includes(word ?? ''));
    if (next === undefined) return { path, rest };
    path.push(next);
    rest = more;
  }
}

function parse(path: readonly Command[], words: readonly string[], surroundings: Surroundings): Invocation {
  const command = path.at(-1) ?? { options: [] };
  const options: NonNullable<ParseArgsConfig['options']> = {};
  for (const { name, short, type, multiple, default: fallback } of [...(command.options ?? []), ...globalOptions]) {
    options[name] = {
      type,
      ...(short === undefined ? {} : { short }),
      ...(multiple === true ? { multiple: true } : {}),
      ...(fallback === undefined ? {} : { default: multiple === true ? [fallback] : fallback }),
    };
  }
  const { values, positionals } = read(path, words, options);
  for (const { name, choices } of command.options ?? []) {
    const value = values[name];
    if (choices !== undefined && typeof value === 'string' && !choices.includes(value)) {
      throw new UserError(`--${name}: ${JSON.stringify(value)} is not one of ${choices.join(', ')}`);
    }
  }
  return { options: values as Invocation['options'], positionals, ...surroundings };
}

function read(path: readonly Command[], words: readonly string[], options: NonNullable<ParseArgsConfig['options']>) {
  try {
    return parseArgs({ args: [...words], options, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UserError((error as Error).message.split('. ')[0] ?? 'bad arguments', { hint: `See "${pathName(path)} --help".` });
  }
}

function checkPositionals(path: readonly Command[], { positionals }: Invocation): void {
  const command = path.at(-1);
  const expected = command?.positionals ?? [];
  const hint = command === undefined ? '' : `Usage: ${usage(pathName(path), command)}`;
  const missing = expected.filter(({ optional, rest }) => optional !== true && rest !== true)[positionals.length];
  if (missing !== undefined) throw new UserError(`missing argument ${missing.name.toUpperCase()}: ${missing.summary}`, { hint });
  if (positionals.length > expected.length && expected.at(-1)?.rest !== true) {
    throw new UserError(`unexpected argument ${JSON.stringify(positionals[expected.length])}`, { hint });
  }
}

function unknownCommand(path: readonly Command[], word: string): UserError {
  const known = (path.at(-1)?.commands ?? []).filter(({ hidden }) => hidden !== true).map(({ name }) => name);
  const meant = known.find((name) => isSlip(word, name));
  return new UserError(`unknown command ${JSON.stringify(word)}`, {
    hint: meant === undefined ? `Commands: ${known.join(', ')}` : `Did you mean "${[...path.map(({ name }) => name), meant].join(' ')}"?`,
  });
}

/** One letter missing, too many, another, or two swapped. */
function isSlip(typed: string, name: string): boolean {
  const shorter = Math.min(typed.length, name.length);
  let same = 0;
  while (same < shorter && typed[same] === name[same]) same += 1;
  const [left, right] = [typed.slice(same), name.slice(same)];
  const swapped = (left[1] ?? '') + (left[0] ?? '') + left.slice(2);
  return left.slice(1) === right || left === right.slice(1) || left.slice(1) === right.slice(1) || swapped === right;
}

function pathName(path: readonly Command[]): string {
  return path.map(({ name }) => name).join(' ');
}

function report(thrown: unknown, path: readonly Command[], { stderr, signal }: Surroundings): number {
  // Interrupted: whoever pressed Ctrl-C knows.
  if (signal.aborted) return 130;
  const name = pathName(path);
  const error = fileError(thrown) ?? refusal(thrown) ?? thrown;
  if (error instanceof UserError) {
    stderr.write(`${name}: ${error.message}\n${error.hint === undefined ? '' : `  ${error.hint}\n`}`);
    return 1;
  }
  stderr.write(`${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return 70;
}
