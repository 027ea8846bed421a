import { isObject, own, type JsonValue } from './deep.ts';

/** A path that cannot be read; says what is wrong. */
export class JsonPathError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'JsonPathError';
  }
}

type Step =
  | { readonly kind: 'field'; readonly names: readonly string[] }
  | { readonly kind: 'slice'; readonly from: number | undefined; readonly to: number | undefined; readonly step: number }
  | { readonly kind: 'indexes'; readonly indexes: readonly number[] }
  | { readonly kind: 'all' }
  | { readonly kind: 'recursive' }
  | { readonly kind: 'filter'; readonly left: Operand; readonly operator: string; readonly right: Operand | undefined };
type Operand = { readonly steps: readonly Step[] } | { readonly literal: string | number | boolean | null };

const maxLength = 4096;
const maxResults = 10_000;
const maxNesting = 8;

/** A compiled path; returns every value it selects, none where the object has no such part. */
export type JsonPath = (value: unknown) => unknown[];

/**
 * Reads kubectl's JSONPath dialect: `.a.b`, `{.a.b}`, `['a.b']`, `[0]`, `[-1]`, `[1:3]`, `[*]`, `..a`, `a\.b`,
 * `[?(@.type=="Ready")]`. Throws JsonPathError.
 */
export function compileJsonPath(path: string): JsonPath {
  if (path.length > maxLength) throw new JsonPathError(`a path has at most ${maxLength} characters`);
  const trimmed = path.trim();
  const steps = new PathParser(trimmed.startsWith('{') && trimmed.endsWith('}') ? trimmed.slice(1, -1) : trimmed, 0).parse();
  return (value) => select(steps, [value as JsonValue], value as JsonValue);
}

/** The first value of a path as a table cell: scalars as they are, lists and objects as JSON, null for none. */
export function columnCell(path: string): (object: unknown) => string | number | boolean | null {
  const read = compileJsonPath(path);
  return (object) => {
    const [value] = read(object);
    if (value === undefined || value === null) return null;
    return typeof value === 'object' ? JSON.stringify(value) : (value as string | number | boolean);
  };
}

class PathParser {
  readonly #text: string;
  readonly #nesting: number;
  #at = 0;

  constructor(text: string, nesting: number) {
    this.#text = text;
    this.#nesting = nesting;
    if (nesting > maxNesting) throw new JsonPathError(`filters nest at most ${maxNesting} deep`);
  }

  parse(): Step[] {
    const steps: Step[] = [];
    if (this.#text[0] === '$' || this.#text[0] === '@') this.#at = 1;
    else if (/[\w]/.test(this.#text[0] ?? '')) steps.push(this.#name());
    while (this.#at < this.#text.length) {
      const character = this.#text[this.#at];
      if (character === '.') this.#dot(steps);
      else if (character === '[') steps.push(this.#bracket());
      else throw new JsonPathError(`unrecognized character in path: ${JSON.stringify(character)}`);
    }
    return steps;
  }

  #dot(steps: Step[]): void {
    this.#at += 1;
    if (this.#text[this.#at] === '.') {
      this.#at += 1;
      steps.push({ kind: 'recursive' });
    }
    const next = this.#text[this.#at];
    if (next === undefined || next === '[') return;
    if (next === '*') {
      this.#at += 1;
      steps.push({ kind: 'all' });
    } else steps.push(this.#name());
  }

  #name(): Step {
    const match = /(?:\\.|[^.[\]{}\s()'"=<>!,\\])+/y;
    match.lastIndex = this.#at;
    const name = match.exec(this.#text)?.[0];
    if (name === undefined) throw new JsonPathError(`a field name is missing after ${JSON.stringify(this.#text.slice(0, this.#at))}`);
    this.#at += name.length;
    return { kind: 'field', names: [name.replace(/\\(.)/g, '$1')] };
  }

  #bracket(): Step {
    const end = this.#closing(this.#at);
    const body = this.#text.slice(this.#at + 1, end).trim();
    this.#at = end + 1;
    if (body === '*') return { kind: 'all' };
    const filter = /^\?\((.*)\)$/s.exec(body);
    if (filter !== null) return this.#filter((filter[1] ?? '').trim());
    if (/^['"]/.test(body)) return { kind: 'field', names: quotedList(body) };
    if (/^-?\d+(\s*,\s*-?\d+)*$/.test(body)) return { kind: 'indexes', indexes: body.split(',').map(Number) };
    const range = /^(-?\d+)?:(-?\d+)?(?::(-?\d+)?)?$/.exec(body);
    if (range === null) throw new JsonPathError(`invalid array index ${body}`);
    const [, from, to, step] = range;
    const width = step === undefined ? 1 : Number(step);
    if (width <= 0) throw new JsonPathError('step must be > 0');
    return {
      kind: 'slice',
      from: from === undefined ? undefined : Number(from),
      to: to === undefined ? undefined : Number(to),
      step: width,
    };
  }

  /** The bracket that closes the one at `open`, quotes respected. */
  #closing(open: number): number {
    let depth = 0;
    let quote = '';
    for (let at = open; at < this.#text.length; at += 1) {
      const character = this.#text[at] ?? '';
      if (quote !== '') {
        if (character === '\\') at += 1;
        else if (character === quote) quote = '';
      } else if (character === '"' || character === "'") quote = character;
      else if (character === '[') depth += 1;
      else if (character === ']') {
        depth -= 1;
        if (depth === 0) return at;
      }
    }
    throw new JsonPathError('unterminated array');
  }

  #filter(body: string): Step {
    const operator = topLevelOperator(body);
    if (operator === undefined) return { kind: 'filter', left: this.#operand(body), operator: 'exists', right: undefined };
    const left = this.#operand(body.slice(0, operator.at).trim());
    return { kind: 'filter', left, operator: operator.text, right: this.#operand(body.slice(operator.at + operator.text.length).trim()) };
  }

  #operand(text: string): Operand {
    if (/^(['"]).*\1$/s.test(text)) return { literal: quotedList(text)[0] ?? '' };
    if (/^-?\d+(\.\d+)?$/.test(text)) return { literal: Number(text) };
    if (text === 'true' || text === 'false') return { literal: text === 'true' };
    if (text === 'null') return { literal: null };
    if (text === '') throw new JsonPathError('a filter needs something on both sides of its operator');
    return { steps: new PathParser(text, this.#nesting + 1).parse() };
  }
}

function topLevelOperator(body: string): { at: number; text: string } | undefined {
  let quote = '';
  let depth = 0;
  for (let at = 0; at < body.length; at += 1) {
    const character = body[at] ?? '';
    if (quote !== '') {
      if (character === '\\') at += 1;
      else if (character === quote) quote = '';
      continue;
    }
    if (character === '"' || character === "'") quote = character;
    else if (character === '[') depth += 1;
    else if (character === ']') depth -= 1;
    else if (depth === 0 && /[=!<>]/.test(character)) {
      const text = /^(==|!=|<=|>=|<|>)/.exec(body.slice(at, at + 2))?.[0];
      if (text === undefined) throw new JsonPathError(`unrecognized operator in filter ${JSON.stringify(body)}`);
      return { at, text };
    }
  }
  return undefined;
}

function quotedList(body: string): string[] {
  const names: string[] = [];
  const item = /\s*(?:'((?:\\.|[^'\\])*)'|"((?:\\.|[^"\\])*)")\s*(,|$)/y;
  for (;;) {
    const match = item.exec(body);
    if (match === null) throw new JsonPathError(`invalid quoted name in ${JSON.stringify(body)}`);
    names.push((match[1] ?? match[2] ?? '').replace(/\\(.)/g, '$1'));
    if (match[3] === '') return names;
  }
}

function select(steps: readonly Step[], start: readonly JsonValue[], root: JsonValue): JsonValue[] {
  let values = [...start];
  for (const step of steps) {
    const next: JsonValue[] = [];
    for (const value of values) {
      take(step, value, root, next);
      if (next.length > maxResults) throw new JsonPathError(`a path selects at most ${maxResults} values`);
    }
    values = next;
  }
  return values;
}

function take(step: Step, value: JsonValue, root: JsonValue, out: JsonValue[]): void {
  switch (step.kind) {
    case 'field':
      for (const name of step.names) {
        const member = isObject(value) ? own(value, name) : undefined;
        if (member !== undefined) out.push(member);
      }
      return;
    case 'indexes':
      if (!Array.isArray(value)) return;
      for (const index of step.indexes) {
        const item = value.at(index);
        if (item !== undefined) out.push(item);
      }
      return;
    case 'slice':
      if (!Array.isArray(value)) return;
      for (const [index, item] of value.slice(step.from, step.to).entries()) if (index % step.step === 0) out.push(item);
      return;
    case 'all':
      for (const item of children(value)) out.push(item);
      return;
    case 'recursive':
      descend(value, out);
      return;
    case 'filter':
      for (const item of children(value)) if (passes(step, item, root)) out.push(item);
  }
}

function children(value: JsonValue): Iterable<JsonValue> {
  if (Array.isArray(value)) return value;
  return isObject(value) ? Object.values(value) : [];
}

function descend(value: JsonValue, out: JsonValue[]): void {
  const pending = [value];
  for (let item = pending.pop(); item !== undefined; item = pending.pop()) {
    out.push(item);
    if (out.length > maxResults) return;
    const below = [...children(item)];
    for (let index = below.length - 1; index >= 0; index -= 1) pending.push(below[index] as JsonValue);
  }
}

function passes(step: Extract<Step, { kind: 'filter' }>, item: JsonValue, root: JsonValue): boolean {
  const left = evaluate(step.left, item, root);
  if (step.operator === 'exists') return left !== undefined;
  const right = step.right === undefined ? undefined : evaluate(step.right, item, root);
  if (left === undefined || right === undefined) return false;
  if (step.operator === '==') return left === right;
  if (step.operator === '!=') return left !== right;
  if (typeof left !== typeof right || (typeof left !== 'number' && typeof left !== 'string')) return false;
  const order = left === right ? 0 : left < (right as typeof left) ? -1 : 1;
  if (step.operator === '<') return order < 0;
  if (step.operator === '<=') return order <= 0;
  return step.operator === '>' ? order > 0 : order >= 0;
}

function evaluate(operand: Operand, item: JsonValue, root: JsonValue): JsonValue | undefined {
  return 'literal' in operand ? operand.literal : select(operand.steps, [item], root)[0];
}
