import { checkDns1035Label } from '#apis/meta/names.ts';
import { tryParseQuantity } from '#apis/meta/quantity.ts';
import { UserError } from '#core/errors.ts';
import { flagOption, listOption, textOption, type Invocation } from '#cli/command.ts';

/** What `deploy` was told about a service, read and checked. Absent: leave it as it is. */
export interface DeployOptions {
  readonly environment: ReadonlyMap<string, string>;
  readonly port?: number;
  readonly concurrency?: number;
  readonly minScale?: number;
  readonly maxScale?: number;
  readonly limits: Readonly<Partial<Record<'cpu' | 'memory', string>>>;
  readonly tag?: string;
  readonly noTraffic: boolean;
}

const maxConcurrency = 1000;

/**
 * Reads the options of `deploy` before anything is built or asked for, so that a mistake costs nothing. Throws a UserError
 * that names the option.
 */
export function readDeployOptions(invocation: Pick<Invocation, 'options'>): DeployOptions {
  const whole = (name: string, most?: number, least = 0) => wholeNumber(invocation, name, least, most);
  const [port, concurrency, minScale, maxScale] = [
    whole('port', 65_535, 1),
    whole('concurrency', maxConcurrency),
    whole('min'),
    whole('max'),
  ];
  const tag = textOption(invocation, 'tag');
  if (tag !== undefined) checkName('--tag', tag);
  if (minScale !== undefined && maxScale !== undefined && maxScale > 0 && minScale > maxScale)
    throw new UserError(`--min ${minScale} is more than --max ${maxScale}`);
  return {
    environment: new Map(listOption(invocation, 'env').map(variable)),
    ...(port === undefined ? {} : { port }),
    ...(concurrency === undefined ? {} : { concurrency }),
    ...(minScale === undefined ? {} : { minScale }),
    ...(maxScale === undefined ? {} : { maxScale }),
    limits: {
      ...amount(invocation, 'cpu', '500m or 2'),
      ...amount(invocation, 'memory', '256Mi'),
    },
    ...(tag === undefined ? {} : { tag }),
    noTraffic: flagOption(invocation, 'no-traffic'),
  };
}

/** A name that is part of a host: of a service, or a tag. */
export function checkName(option: string, name: string): void {
  const [problem] = checkDns1035Label(name);
  if (problem === undefined) return;
  throw new UserError(`${option}: ${JSON.stringify(name)} cannot be part of a URL`, {
    hint: 'Lower case letters, digits and -, beginning with a letter and not ending with -, at most 63.',
  });
}

function variable(text: string): readonly [name: string, value: string] {
  const at = text.indexOf('=');
  if (at <= 0) throw new UserError(`--env: ${JSON.stringify(text)} is not KEY=VALUE`, { hint: 'For example --env GREETING=hello.' });
  return [text.slice(0, at), text.slice(at + 1)];
}

function wholeNumber(invocation: Pick<Invocation, 'options'>, name: string, least: number, most = 1_000_000): number | undefined {
  const text = textOption(invocation, name);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least || value > most)
    throw new UserError(`--${name}: ${JSON.stringify(text)} is not a whole number from ${least} to ${most}`);
  return value;
}

function amount(invocation: Pick<Invocation, 'options'>, name: 'cpu' | 'memory', example: string): DeployOptions['limits'] {
  const text = textOption(invocation, name);
  if (text === undefined) return {};
  if ((tryParseQuantity(text)?.nanos ?? 0n) <= 0n)
    throw new UserError(`--${name}: ${JSON.stringify(text)} is not an amount`, { hint: `For example ${example}.` });
  return { [name]: text };
}
