import { isInteger, type Operator, type Requirement, type Selector } from '#apis/meta/label-selector.ts';
import { checkLabelValue, checkQualifiedName } from '#apis/meta/names.ts';
import { badRequest } from '#apis/meta/status.ts';

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
    const problems = checkQualifiedName(key);
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
      const problems = checkLabelValue(value);
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
