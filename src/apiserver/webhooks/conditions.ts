import { compileCel, CelError, newCelEnvironment, type CelProgram } from '#machinery/cel-environment.ts';
import { dynamicValue } from '#machinery/cel-types.ts';
import type { JsonValue } from '#machinery/deep.ts';

const names = ['object', 'oldObject', 'request', 'namespaceObject', 'params', 'variables'];
const variables = Object.fromEntries(names.map((name) => [name, 'dyn']));
const budget = 1_000_000;
const maxCompiled = 1000;

const compiled = new Map<string, CelProgram>();

/** An expression of a webhook or policy. Throws CelError where it does not compile or fails. */
export function evaluateExpression(expression: string, values: Readonly<Record<string, unknown>>): unknown {
  return programOf(expression).run(values, { expression: budget, total: budget });
}

/** Values as expressions see them. */
export function expressionValues(request: Readonly<Record<string, unknown>>, others: Readonly<Record<string, unknown>> = {}) {
  const { object, oldObject, ...rest } = request;
  const all: Record<string, unknown> = { object, oldObject, request: rest, namespaceObject: null, params: null, ...others };
  return Object.fromEntries(Object.entries(all).map(([name, value]) => [name, dynamicValue((value ?? null) as JsonValue)]));
}

/** The first condition that is not met, or undefined. Throws CelError when one cannot be told and none is unmet. */
export function unmetCondition(
  conditions: readonly { readonly name: string; readonly expression: string }[] | undefined,
  values: Readonly<Record<string, unknown>>,
): string | undefined {
  let failure: CelError | undefined;
  for (const { name, expression } of conditions ?? []) {
    try {
      if (evaluateExpression(expression, values) !== true) return name;
    } catch (error) {
      if (!(error instanceof CelError)) throw error;
      failure ??= new CelError(`expression '${expression}' resulted in error: ${error.message}`, error);
    }
  }
  if (failure !== undefined) throw failure;
  return undefined;
}

function programOf(expression: string): CelProgram {
  let program = compiled.get(expression);
  if (program === undefined) {
    if (compiled.size >= maxCompiled) compiled.clear();
    program = compileCel(newCelEnvironment(), expression, variables);
    compiled.set(expression, program);
  }
  return program;
}
