import { Environment, Optional } from '@marcbachmann/cel-js';
import { Duration } from '@marcbachmann/cel-js/evaluator';
import { celMacros, optionalsEqual } from './cel-macros.ts';
import { celEqualities, celFunctions, celNamespaces, celTypes } from './cel-library.ts';
import { celEqual } from './cel-lists.ts';

/** Environments, compiled expressions, and what running one may cost. What the CEL library calls its own is known in `cel-*.ts` alone. */

/** An expression that does not parse or type-check, or fails when run; the message fits in one line. */
export class CelError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'CelError';
  }
}

/** Thrown when an expression, or all of an object's, did more work than allowed. */
export class CelBudgetError extends CelError {
  constructor() {
    super('operation cancelled: actual cost limit exceeded');
    this.name = 'CelBudgetError';
  }
}

/** Work left to one expression and to all expressions of an object, in evaluated nodes. */
export interface CelBudget {
  expression: number;
  total: number;
}

const expressionBudget = 1_000_000;
export const objectBudget = 5_000_000;

export type CelEnvironment = Environment;
export type CelVariables = Readonly<Record<string, unknown>>;
export interface CelProgram {
  /** The CEL type the expression has. */
  readonly type: string;
  /** Throws CelError or CelBudgetError. */
  run(variables: CelVariables, budget: CelBudget): unknown;
}

let shared: Environment | undefined;

/** A fresh environment with Kubernetes' libraries, to declare types and variables in. */
export function newCelEnvironment(): CelEnvironment {
  shared ??= libraryEnvironment();
  return shared.clone();
}

function libraryEnvironment(): Environment {
  const environment = new Environment({
    enableOptionalTypes: true,
    homogeneousAggregateLiterals: false,
    limits: { maxAstNodes: 5000, maxDepth: 100 },
  });
  for (const [name, ctor] of Object.entries(celTypes)) environment.registerType(name, { ctor, fields: {} });
  for (const [name, namespace] of Object.entries(celNamespaces)) environment.registerConstant(name, namespace.constructor.name, namespace);
  for (const [signature, handler] of [...celFunctions, ...celMacros])
    environment.registerFunction(signature, handler as (...values: unknown[]) => unknown);
  environment.registerOperator('optional<dyn> == optional<dyn>', optionalsEqual);
  for (const [type, equal] of Object.entries(celEqualities))
    environment.registerOperator(`${type} == ${type}`, equal as (a: unknown, b: unknown) => boolean);
  return environment;
}

/** Declares an object type with its fields; instances are of `ctor` and equal by value. */
export function declareType(
  environment: CelEnvironment,
  name: string,
  ctor: new () => object,
  fields: Readonly<Record<string, string>>,
): void {
  environment.registerType(name, { ctor, fields: { ...fields } });
  environment.registerOperator(`${name} == ${name}`, celEqual);
}

/** A CEL duration of nanoseconds. */
export function celDuration(nanos: bigint): unknown {
  return new Duration(nanos / 1_000_000_000n, Number(nanos % 1_000_000_000n));
}

export const noValue: unknown = Optional.none();
export const someValue = (value: unknown): unknown => Optional.of(value);

/** Parses and type-checks an expression whose variables are given with their types. Throws CelError. */
export function compileCel(environment: CelEnvironment, expression: string, variables: Readonly<Record<string, string>>): CelProgram {
  const own = environment.clone();
  for (const [name, type] of Object.entries(variables)) own.registerVariable(name, type);
  try {
    const program = own.parse(expression);
    const checked = program.check();
    if (!checked.valid) throw checked.error ?? new Error('invalid expression');
    const meter: Meter = { budget: { expression: 0, total: 0 } };
    meterNode(program.ast, meter, new Set());
    return { type: checked.type ?? 'dyn', run: (values, budget) => run(program, values, meter, budget) };
  } catch (error) {
    throw new CelError(summaryOf(error), error);
  }
}

interface Meter {
  budget: CelBudget;
}

function run(program: (context: Record<string, unknown>) => unknown, values: CelVariables, meter: Meter, budget: CelBudget): unknown {
  meter.budget = budget;
  budget.expression = expressionBudget;
  try {
    const result = program({ ...values });
    if (isSpent(budget)) throw new CelBudgetError();
    return result;
  } catch (error) {
    // Quantifiers hold errors back, so that the error that comes out need not be the one that stopped the run.
    if (isSpent(budget)) throw new CelBudgetError();
    throw new CelError(summaryOf(error), error);
  }
}

function isSpent(budget: CelBudget): boolean {
  return budget.expression < 0 || budget.total < 0;
}

/**
 * Makes every node of a checked expression charge the meter before it runs. The library settles a node's `evaluate` on its
 * first run by assigning it: the accessor takes that in and goes on charging.
 */
function meterNode(value: unknown, meter: Meter, seen: Set<unknown>): void {
  if (typeof value !== 'object' || value === null || seen.has(value)) return;
  seen.add(value);
  if (Array.isArray(value)) {
    for (const item of value) meterNode(item, meter, seen);
    return;
  }
  const node = value as Record<string, unknown>;
  if (typeof node['evaluate'] === 'function' && typeof node['op'] === 'string') {
    let inner = node['evaluate'] as (...args: unknown[]) => unknown;
    const charged = function charged(this: unknown, ...args: unknown[]): unknown {
      meter.budget.expression -= 1;
      meter.budget.total -= 1;
      if (isSpent(meter.budget)) throw new CelBudgetError();
      return inner.apply(this, args);
    };
    Object.defineProperty(node, 'evaluate', {
      get: () => charged,
      set: (settled: typeof inner) => {
        inner = settled;
      },
      configurable: true,
    });
    const meta = node['meta'] as Record<string, unknown> | undefined;
    meterNode(meta?.['alternate'], meter, seen);
    meterNode(meta?.['macro'], meter, seen);
    meterNode(node['args'], meter, seen);
    return;
  }
  for (const key of ['args', 'iterable', 'init', 'step', 'val', 'exp', 'receiver', 'ast', 'callAst', 'macroHasProps'])
    meterNode(node[key], meter, seen);
}

function summaryOf(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'summary' in error) return String(error.summary);
  return error instanceof Error ? error.message : String(error);
}
