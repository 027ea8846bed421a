import { Optional } from '@marcbachmann/cel-js';
import type { CelFunction } from './cel-function.ts';
import { celEqual } from './cel-lists.ts';

/**
 * What Kubernetes' CEL has beside functions: macros, whose arguments are expressions over variables of their own. The shapes are
 * those the CEL library hands to a macro; nothing of it is in its types.
 */
interface Node {
  readonly op: string;
  readonly args: unknown;
}
interface Type {
  readonly kind: string;
  readonly type: string;
  readonly valueType?: Type;
  readonly keyType?: Type;
}
interface Context {
  forkWithVariable(name: string, type: Type): Context;
  reuse(context: Context): Context;
  setIterValue(value: unknown, evaluator: Evaluator): Context;
}
interface Evaluator {
  run(node: Node, context: Context): unknown;
}
interface Checker {
  check(node: Node, context: Context): Type;
  getType(name: string): Type;
  createError(code: string, message: string, node: Node): Error;
}
interface MacroCall {
  readonly ast: Node;
  readonly args: readonly Node[];
  readonly receiver: Node;
}
/** `args` and `receiver` are where the meter finds the expressions that a run costs. */
interface Macro {
  readonly args: readonly Node[];
  readonly receiver: Node;
  typeCheck(checker: Checker, macro: Macro, context: Context): Type;
  evaluate(evaluator: Evaluator, macro: Macro, context: Context): unknown;
}
type Expand = (call: MacroCall) => Macro;

function nameOf(node: Node | undefined, macro: string): string {
  if (node?.op === 'id') return String(node.args);
  throw new Error(`${macro} variable name must be a simple identifier`);
}

/** `optional.optMap(x, expr)`: what `expr` makes of the value, if there is one; `optFlatMap`: the optional that it is. */
function optionalMap(name: string, flat: boolean): CelFunction {
  const expand: Expand = ({ args, receiver }) => {
    const variable = nameOf(args[0], name);
    const body = args[1] as Node;
    let bound: Context | undefined;
    return {
      args: [body],
      receiver,
      typeCheck(checker, _macro, context) {
        const type = checker.check(receiver, context);
        if (type.kind !== 'optional' && type.kind !== 'dyn')
          throw checker.createError('optional_expected', `${name}() needs an optional`, receiver);
        bound = context.forkWithVariable(variable, type.valueType ?? checker.getType('dyn'));
        checker.check(body, bound);
        return checker.getType('optional');
      },
      evaluate(evaluator, _macro, context) {
        const value = evaluator.run(receiver, context) as Optional;
        if (!value.hasValue() || bound === undefined) return Optional.none();
        const result = evaluator.run(body, bound.reuse(context).setIterValue(value.value(), evaluator));
        return flat ? result : Optional.of(result);
      },
    };
  };
  return [`optional.${name}(ast, ast): optional<dyn>`, expand as never];
}

type Entry = readonly [key: unknown, value: unknown];
/** Makes the result out of each entry and what the body says of it; returns true to stop. */
interface Fold<T> {
  readonly start: () => T;
  readonly step: (state: T, entry: Entry, said: readonly (() => unknown)[]) => T;
  readonly isDone?: (state: T) => boolean;
  readonly finish: (state: T) => unknown;
  readonly type: string;
  /** Which of the bodies has to be a bool. */
  readonly bools: readonly number[];
}

/** A macro over index and item of a list, or key and value of a map. */
function overEntries<T>(name: string, bodies: number, fold: Fold<T>): CelFunction[] {
  const expand: Expand = ({ args, receiver }) => {
    const variables = [nameOf(args[0], name), nameOf(args[1], name)] as const;
    const expressions = args.slice(2);
    let outer: Context | undefined;
    let inner: Context | undefined;
    return {
      args: expressions,
      receiver,
      typeCheck(checker, _macro, context) {
        const type = checker.check(receiver, context);
        const any = checker.getType('dyn');
        outer = context.forkWithVariable(variables[0], type.kind === 'list' ? checker.getType('int') : (type.keyType ?? any));
        inner = outer.forkWithVariable(variables[1], type.valueType ?? any);
        for (const [index, expression] of expressions.entries()) {
          const { kind, type: name } = checker.check(expression, inner);
          const wrong = fold.bools.includes(index) && name !== 'bool' && kind !== 'dyn';
          if (wrong) throw checker.createError('predicate_bool', `${name}() predicate must return bool`, expression);
        }
        return checker.getType(fold.type);
      },
      evaluate(evaluator, _macro, context) {
        let state = fold.start();
        for (const entry of entriesOf(evaluator.run(receiver, context))) {
          const at = outer?.reuse(context).setIterValue(entry[0], evaluator);
          const here = at === undefined ? undefined : inner?.reuse(at).setIterValue(entry[1], evaluator);
          if (here === undefined) break;
          state = fold.step(
            state,
            entry,
            expressions.map((expression) => () => evaluator.run(expression, here)),
          );
          if (fold.isDone?.(state) === true) break;
        }
        return fold.finish(state);
      },
    };
  };
  const asts = Array(bodies + 2)
    .fill('ast')
    .join(', ');
  return [`list.${name}(${asts}): ${fold.type}`, `map.${name}(${asts}): ${fold.type}`].map(
    (signature) => [signature, expand as never] as const,
  );
}

function entriesOf(value: unknown): Entry[] {
  if (Array.isArray(value)) return value.map((item: unknown, index) => [BigInt(index), item] as const);
  if (value instanceof Map) return [...(value as Map<unknown, unknown>)];
  return Object.entries(value as object);
}

const same = <T>(state: T): T => state;
const list = { type: 'list<dyn>', start: (): unknown[] => [], finish: same };
const map = { type: 'map<dyn, dyn>', start: (): Map<unknown, unknown> => new Map(), finish: same };
const count = (state: number, _entry: Entry, [holds]: readonly (() => unknown)[]): number => (holds?.() === true ? state + 1 : state);
const countOne = { type: 'bool', start: () => 0, step: count, finish: (state: number) => state === 1, bools: [0] };

function put(state: Map<unknown, unknown>, entries: Iterable<Entry>): Map<unknown, unknown> {
  for (const [key, value] of entries) {
    if (state.has(key)) throw new Error(`insert failed: key ${String(key)} already exists`);
    state.set(key, value);
  }
  return state;
}

function isZero(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  if (value instanceof Map) return value.size === 0;
  if (value instanceof Uint8Array) return value.length === 0;
  return value === null || value === false || value === '' || value === 0 || value === 0n;
}

/** None equals none; two values as they do. */
export function optionalsEqual(left: Optional, right: Optional): boolean {
  if (!left.hasValue() || !right.hasValue()) return left.hasValue() === right.hasValue();
  return celEqual(left.value(), right.value());
}

export const celMacros: readonly CelFunction[] = [
  [
    'OptionalNamespace.ofNonZeroValue(dyn): optional<dyn>',
    (_: unknown, value: unknown) => (isZero(value) ? Optional.none() : Optional.of(value)),
  ],
  optionalMap('optMap', false),
  optionalMap('optFlatMap', true),
  ...overEntries('all', 1, {
    type: 'bool',
    start: () => true,
    step: (_state, _entry, [holds]) => holds?.() === true,
    isDone: (state) => !state,
    finish: same,
    bools: [0],
  }),
  ...overEntries('exists', 1, {
    type: 'bool',
    start: () => false,
    step: (_state, _entry, [holds]) => holds?.() === true,
    isDone: same,
    finish: same,
    bools: [0],
  }),
  ...overEntries('existsOne', 1, countOne),
  ...overEntries('exists_one', 1, countOne),
  ...overEntries('transformList', 1, { ...list, step: (state, _entry, [make]) => [...state, make?.()], bools: [] }),
  ...overEntries('transformList', 2, {
    ...list,
    step: (state, _entry, [holds, make]) => (holds?.() === true ? [...state, make?.()] : state),
    bools: [0],
  }),
  ...overEntries('transformMap', 1, { ...map, step: (state, [key], [make]) => put(state, [[key, make?.()]]), bools: [] }),
  ...overEntries('transformMap', 2, {
    ...map,
    step: (state, [key], [holds, make]) => (holds?.() === true ? put(state, [[key, make?.()]]) : state),
    bools: [0],
  }),
  ...overEntries('transformMapEntry', 1, { ...map, step: (state, _entry, [make]) => put(state, entriesOf(make?.())), bools: [] }),
  ...overEntries('transformMapEntry', 2, {
    ...map,
    step: (state, _entry, [holds, make]) => (holds?.() === true ? put(state, entriesOf(make?.())) : state),
    bools: [0],
  }),
];
