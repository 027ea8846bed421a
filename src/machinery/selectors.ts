import { fieldForbidden, fieldInvalid, fieldRequired, type FieldError } from '#apis/meta/field-error.ts';
import type { LabelSelector } from '#apis/meta/object.ts';
import { badRequest } from '#apis/meta/status.ts';
import { labelValue, qualifiedName } from './names.ts';

export type Operator = '=' | '!=' | 'in' | 'notin' | 'exists' | '!' | 'gt' | 'lt';

/** One term of a selector; all terms must hold. */
export interface Requirement {
  readonly key: string;
  readonly operator: Operator;
  readonly values: readonly string[];
}

/** A label selector ready to match; an empty one matches everything. */
export type Selector = readonly Requirement[];

export const everything: Selector = [];
/** Matches no object: what a missing LabelSelector object means in Kubernetes. */
export const nothing: Selector = [{ key: '', operator: 'in', values: [] }];

/** True when every term holds. `!=` and `notin` hold for a missing label. */
export function matchesLabels(selector: Selector, labels: Readonly<Record<string, string>> | undefined): boolean {
  for (const requirement of selector) {
    const value = labels !== undefined && Object.hasOwn(labels, requirement.key) ? labels[requirement.key] : undefined;
    if (!holds(requirement, value)) return false;
  }
  return true;
}

function holds({ operator, values }: Requirement, value: string | undefined): boolean {
  switch (operator) {
    case '=':
    case 'in':
      return value !== undefined && values.includes(value);
    case '!=':
    case 'notin':
      return value === undefined || !values.includes(value);
    case 'exists':
      return value !== undefined;
    case '!':
      return value === undefined;
    case 'gt':
      return isInteger(value) && BigInt(value) > BigInt(values[0] ?? '0');
    case 'lt':
      return isInteger(value) && BigInt(value) < BigInt(values[0] ?? '0');
  }
}

function isInteger(value: string | undefined): value is string {
  return value !== undefined && /^-?\d{1,19}$/.test(value);
}

/** Kubernetes' text form: terms by key, `a=b,c in (x,y),!d`. Parses back to the same selector. */
export function formatLabelSelector(selector: Selector): string {
  return selector.map(formatRequirement).join(',');
}

function formatRequirement({ key, operator, values }: Requirement): string {
  switch (operator) {
    case 'exists':
      return key;
    case '!':
      return `!${key}`;
    case 'in':
    case 'notin':
      return `${key} ${operator} (${[...values].sort().join(',')})`;
    case 'gt':
      return `${key}>${values[0] ?? ''}`;
    case 'lt':
      return `${key}<${values[0] ?? ''}`;
    default:
      return `${key}${operator}${values[0] ?? ''}`;
  }
}

/**
 * The selector of a metav1.LabelSelector object: undefined matches nothing, an empty one everything. The object must be
 * valid (`validateLabelSelector`); unknown operators match nothing.
 */
export function fromLabelSelector(selector: LabelSelector | null | undefined): Selector {
  if (selector === undefined || selector === null) return nothing;
  const terms: Requirement[] = [];
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) terms.push({ key, operator: '=', values: [value] });
  for (const { key, operator, values = [] } of selector.matchExpressions ?? []) {
    const known = Object.hasOwn(objectOperators, operator) ? objectOperators[operator] : undefined;
    if (known === undefined) return nothing;
    terms.push({ key, operator: known, values });
  }
  return terms.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
}

const objectOperators: Readonly<Record<string, Operator>> = { In: 'in', NotIn: 'notin', Exists: 'exists', DoesNotExist: '!' };

/** Findings about a LabelSelector object at `path`, in Kubernetes' wording. */
export function validateLabelSelector(selector: LabelSelector, path: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) {
    const field = `${path}.matchLabels`;
    errors.push(...qualifiedName(key).map((problem) => fieldInvalid(field, key, problem)));
    errors.push(...labelValue(value).map((problem) => fieldInvalid(field, value, problem)));
  }
  for (const [index, { key, operator, values = [] }] of (selector.matchExpressions ?? []).entries()) {
    const field = `${path}.matchExpressions[${index}]`;
    if (operator === 'In' || operator === 'NotIn') {
      if (values.length === 0) errors.push(fieldRequired(`${field}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
    } else if (operator === 'Exists' || operator === 'DoesNotExist') {
      if (values.length > 0)
        errors.push(fieldForbidden(`${field}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
    } else {
      errors.push(fieldInvalid(`${field}.operator`, operator, 'not a valid selector operator'));
    }
    errors.push(...qualifiedName(key).map((problem) => fieldInvalid(`${field}.key`, key, problem)));
    for (const [at, value] of values.entries())
      errors.push(...labelValue(value).map((problem) => fieldInvalid(`${field}.values[${at}]`, value, problem)));
  }
  return errors;
}

/** Reads the query parameter's syntax; blanks may stand around every token. Throws BadRequest with Kubernetes' text. */
export function parseLabelSelector(text: string): Selector {
  return new Parser(text).parse();
}

interface Token {
  readonly kind: 'word' | 'symbol' | 'end';
  readonly text: string;
}

const tokenPattern = /[ \t\r\n]*(?:(==|!=|[=!(),<>])|([^ \t\r\n=!(),<>]+))/y;
const symbolOperators: Readonly<Record<string, Operator>> = {
  '=': '=',
  '==': '=',
  '!=': '!=',
  '>': 'gt',
  '<': 'lt',
  in: 'in',
  notin: 'notin',
};

class Parser {
  readonly #tokens: Token[] = [];
  #at = 0;

  constructor(text: string) {
    tokenPattern.lastIndex = 0;
    for (let match = tokenPattern.exec(text); match !== null; match = tokenPattern.exec(text)) {
      const [, symbol, word = ''] = match;
      this.#tokens.push(symbol === undefined ? { kind: 'word', text: word } : { kind: 'symbol', text: symbol });
      if (tokenPattern.lastIndex === text.length) break;
    }
  }

  parse(): Selector {
    const terms: Requirement[] = [];
    for (;;) {
      const start = this.#peek();
      if (start.kind === 'end') break;
      if (!startsTerm(start))
        throw badRequest(`unable to parse requirement: found '${start.text}', expected: !, identifier, or 'end of string'`);
      terms.push(this.#requirement());
      const next = this.#take();
      if (next.kind === 'end') break;
      if (next.text !== ',') throw badRequest(`found '${next.text}', expected: ',' or 'end of string'`);
      const after = this.#peek();
      if (!startsTerm(after)) throw badRequest(`found '${after.text}', expected: identifier after ','`);
    }
    return terms.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  }

  #requirement(): Requirement {
    let token = this.#take();
    const absent = token.text === '!' && token.kind === 'symbol';
    if (absent) token = this.#take();
    if (token.kind !== 'word') throw this.#unexpected(token, 'expected: identifier');
    const key = token.text;
    const problems = qualifiedName(key);
    if (problems.length > 0) throw badRequest(`unable to parse requirement: ${describe('key', key, problems)}`);
    if (absent) return { key, operator: '!', values: [] };
    const next = this.#peek();
    if (next.kind === 'end' || next.text === ',') return { key, operator: 'exists', values: [] };
    this.#at += 1;
    const operator = Object.hasOwn(symbolOperators, next.text) ? symbolOperators[next.text] : undefined;
    if (operator === undefined) throw this.#unexpected(next, 'expected: in, notin, =, ==, !=, gt, lt');
    const values = operator === 'in' || operator === 'notin' ? this.#list() : [this.#exactValue()];
    this.#checkValues(key, operator, values);
    return { key, operator, values };
  }

  #exactValue(): string {
    const token = this.#peek();
    if (token.kind === 'end' || token.text === ',') return '';
    this.#at += 1;
    if (token.kind !== 'word') throw this.#unexpected(token, 'expected: identifier');
    return token.text;
  }

  #list(): string[] {
    const open = this.#take();
    if (open.text !== '(') throw badRequest(`unable to parse requirement: found '${open.text}' expected: '('`);
    const values = new Set<string>();
    let last = '';
    for (;;) {
      const token = this.#take();
      if (token.kind === 'word') {
        if (last === 'word') throw this.#unexpected(token, "expected: ',' or ')'");
        values.add(token.text);
        last = 'word';
      } else if (token.text === ',' || token.text === ')') {
        if (last !== 'word') values.add('');
        if (token.text === ')') return [...values];
        last = ',';
      } else {
        throw this.#unexpected(token, last === '' ? "expected: ',', ')' or identifier" : "expected: ',' or ')'");
      }
    }
  }

  #checkValues(key: string, operator: Operator, values: readonly string[]): void {
    for (const [index, value] of values.entries()) {
      if (operator === 'gt' || operator === 'lt') {
        if (!isInteger(value)) {
          const problem = ["for 'Gt', 'Lt' operators, the value must be an integer"];
          throw badRequest(`unable to parse requirement: ${describe(`values[${index}]`, value, problem)}`);
        }
        continue;
      }
      const problems = labelValue(value);
      if (problems.length > 0) throw badRequest(`unable to parse requirement: ${describe(`values[${index}][${key}]`, value, problems)}`);
    }
  }

  #unexpected(token: Token, expected: string): Error {
    return badRequest(`unable to parse requirement: found '${token.text}', ${expected}`);
  }

  #peek(): Token {
    return this.#tokens[this.#at] ?? { kind: 'end', text: '' };
  }

  #take(): Token {
    const token = this.#peek();
    this.#at += 1;
    return token;
  }
}

function startsTerm(token: Token): boolean {
  return token.kind === 'word' || (token.kind === 'symbol' && token.text === '!');
}

function describe(field: string, value: string, problems: readonly string[]): string {
  return `${field}: Invalid value: ${JSON.stringify(value)}: ${problems.join('; ')}`;
}
