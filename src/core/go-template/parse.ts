/** Reading of Go's text/template, as far as configuration written for Knative uses it: no definitions, no blocks, no break or continue. */

/** A template that cannot be read or executed; the message is Go's where its form is known. */
export class TemplateError extends Error {}

/** Where a node stands, for messages. */
interface Place {
  readonly line: number;
  readonly column: number;
  readonly text: string;
}

export type Operand =
  | { readonly kind: 'literal'; readonly value: string | number | boolean | null }
  | { readonly kind: 'field'; readonly base: Operand | undefined; readonly path: readonly string[]; readonly place: Place }
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'function'; readonly name: string; readonly place: Place }
  | { readonly kind: 'pipeline'; readonly pipeline: Pipeline };

/** `a | b c`: each command's result is the last argument of the next; the first word of a command is what is called. */
export interface Pipeline {
  readonly commands: readonly (readonly Operand[])[];
  /** `$x := …` or `$x = …`. */
  readonly declares?: string;
}

export type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'action'; readonly pipeline: Pipeline }
  | {
      readonly kind: 'if' | 'with' | 'range';
      readonly pipeline: Pipeline;
      readonly body: readonly Node[];
      readonly otherwise: readonly Node[];
    };

interface Piece {
  readonly kind: 'text' | 'action';
  readonly text: string;
  readonly line: number;
  /** Bytes from the start of the line to the action's content. */
  readonly column: number;
}

/** The nodes of a template. `functions` are the names that may be called. Throws TemplateError. */
export function parseTemplate(name: string, source: string, functions: ReadonlySet<string>): readonly Node[] {
  return new Parser(name, pieces(name, source), functions).parse();
}

/** Text and actions in turn; `{{-` and `-}}` have eaten the blanks beside them. */
function pieces(name: string, source: string): Piece[] {
  const result: Piece[] = [];
  let trims = false;
  for (let at = 0; at < source.length;) {
    const open = source.indexOf('{{', at);
    const text = source.slice(at, open === -1 ? source.length : open);
    const trimmed = trims ? text.trimStart() : text;
    if (open === -1) {
      result.push({ kind: 'text', text: trimmed, line: lineAt(source, at), column: 0 });
      break;
    }
    const trimsLeft = /^\{\{-\s/.test(source.slice(open, open + 4));
    result.push({ kind: 'text', text: trimsLeft ? trimmed.trimEnd() : trimmed, line: lineAt(source, at), column: 0 });
    const close = endOfAction(source, open + 2);
    if (close === -1) throw new TemplateError(`template: ${name}:${lineAt(source, open)}: unclosed action`);
    trims = /\s-$/.test(source.slice(open + 2, close));
    const start = open + (trimsLeft ? 3 : 2);
    const content = source.slice(start, trims ? close - 1 : close);
    result.push({ kind: 'action', text: content, line: lineAt(source, open), column: start - source.lastIndexOf('\n', open) - 1 });
    at = close + 2;
  }
  return result;
}

const lineAt = (source: string, at: number): number => source.slice(0, at).split('\n').length;

/** Where `}}` stands that is not inside a string or comment; -1: nowhere. */
function endOfAction(source: string, from: number): number {
  const token = /\}\}|"(?:[^"\\\n]|\\.)*"|`[^`]*`|\/\*.*?\*\//gs;
  token.lastIndex = from;
  for (let match = token.exec(source); match !== null; match = token.exec(source)) if (match[0] === '}}') return match.index;
  return -1;
}

const tokenPattern = /\s*(?:("(?:[^"\\\n]|\\.)*")|`([^`]*)`|(\$[\w.]*|[.\w]*\.\w[.\w]*|\.|[+-]?\d[\w.+-]*|\w+)|(:=|[()|=,]))/y;

interface Token {
  readonly text: string;
  readonly kind: 'string' | 'word' | 'sign';
  readonly at: number;
}

function tokensOf(piece: Piece, name: string): Token[] {
  const tokens: Token[] = [];
  const end = piece.text.trimEnd().length;
  for (tokenPattern.lastIndex = 0; tokenPattern.lastIndex < end;) {
    const from = tokenPattern.lastIndex;
    const match = tokenPattern.exec(piece.text);
    if (match === null) {
      const bad = piece.text.slice(from).trimStart()[0] ?? '';
      throw new TemplateError(`template: ${name}:${piece.line}: unexpected ${JSON.stringify(bad)} in operand`);
    }
    const [, quoted, raw, word, sign = ''] = match;
    const at = tokenPattern.lastIndex - (quoted ?? (raw === undefined ? (word ?? sign) : `\`${raw}\``)).length;
    if (quoted !== undefined) tokens.push({ kind: 'string', text: unquote(quoted), at });
    else if (raw !== undefined) tokens.push({ kind: 'string', text: raw, at });
    else if (word !== undefined) tokens.push({ kind: 'word', text: word, at });
    else tokens.push({ kind: 'sign', text: sign, at });
  }
  return tokens;
}

function unquote(quoted: string): string {
  try {
    return JSON.parse(quoted) as string;
  } catch {
    // Escapes of Go that JSON lacks are rare enough to stay as they are.
    return quoted.slice(1, -1);
  }
}

class Parser {
  readonly #name: string;
  readonly #pieces: readonly Piece[];
  readonly #functions: ReadonlySet<string>;
  #next = 0;
  #piece: Piece = { kind: 'text', text: '', line: 1, column: 0 };
  #tokens: Token[] = [];

  constructor(name: string, all: readonly Piece[], functions: ReadonlySet<string>) {
    this.#name = name;
    this.#pieces = all;
    this.#functions = functions;
  }

  parse(): readonly Node[] {
    const { nodes, stop } = this.#list();
    if (stop !== '') throw this.#error(`unexpected {{${stop}}}`);
    return nodes;
  }

  /** Nodes up to `else` or `end`, whose action is left in the tokens. */
  #list(): { nodes: Node[]; stop: string } {
    const nodes: Node[] = [];
    for (;;) {
      const piece = this.#pieces[this.#next++];
      if (piece === undefined) return { nodes, stop: '' };
      this.#piece = piece;
      if (piece.kind === 'text') {
        if (piece.text !== '') nodes.push({ kind: 'text', text: piece.text });
        continue;
      }
      if (/^\s*\/\*.*\*\/\s*$/s.test(piece.text)) continue;
      this.#tokens = tokensOf(piece, this.#name);
      const [first] = this.#tokens;
      if (first === undefined) throw this.#error('missing value for command');
      const word = first.kind === 'word' ? first.text : '';
      if (word === 'else' || word === 'end') return { nodes, stop: word };
      if (word === 'if' || word === 'with' || word === 'range') {
        this.#tokens.shift();
        nodes.push(this.#control(word));
      } else nodes.push({ kind: 'action', pipeline: this.#wholePipeline('command') });
    }
  }

  #control(kind: 'if' | 'with' | 'range'): Node {
    const pipeline = this.#wholePipeline(kind);
    const { nodes: body, stop } = this.#list();
    if (stop === '') throw this.#error('unexpected EOF');
    if (stop === 'end') return { kind, pipeline, body, otherwise: [] };
    this.#tokens.shift();
    const [chained] = this.#tokens;
    if (chained !== undefined && (chained.text === 'if' || chained.text === 'with')) {
      this.#tokens.shift();
      return { kind, pipeline, body, otherwise: [this.#control(chained.text)] };
    }
    const other = this.#list();
    if (other.stop !== 'end') throw this.#error(other.stop === '' ? 'unexpected EOF' : 'expected end; found {{else}}');
    return { kind, pipeline, body, otherwise: other.nodes };
  }

  #wholePipeline(context: string): Pipeline {
    const pipeline = this.#pipeline(context);
    const [left] = this.#tokens;
    if (left !== undefined) throw this.#error(`unexpected ${JSON.stringify(left.text)} in ${context}`);
    return pipeline;
  }

  #pipeline(context: string): Pipeline {
    const [variable, sign] = this.#tokens;
    const declares = variable?.text.startsWith('$') === true && (sign?.text === ':=' || sign?.text === '=') ? variable.text : undefined;
    if (declares !== undefined) this.#tokens.splice(0, 2);
    const commands: Operand[][] = [[]];
    for (let token = this.#tokens[0]; token !== undefined && token.text !== ')'; token = this.#tokens[0]) {
      if (token.kind === 'sign' && token.text === '|') {
        this.#tokens.shift();
        commands.push([]);
      } else commands.at(-1)?.push(this.#operand());
    }
    if (commands.some(({ length }) => length === 0)) throw this.#error(`missing value for ${context}`);
    return { commands, ...(declares === undefined ? {} : { declares }) };
  }

  #operand(): Operand {
    const token = this.#tokens.shift() as Token;
    if (token.kind === 'string') return { kind: 'literal', value: token.text };
    if (token.kind === 'sign') {
      if (token.text !== '(') throw this.#error(`unexpected ${JSON.stringify(token.text)} in operand`);
      const pipeline = this.#pipeline('parenthesized pipeline');
      if (this.#tokens.shift()?.text !== ')') throw this.#error('unclosed left paren');
      return this.#chained({ kind: 'pipeline', pipeline });
    }
    return this.#word(token);
  }

  /** `(…).Field`. */
  #chained(base: Operand): Operand {
    const [next] = this.#tokens;
    if (next?.kind !== 'word' || !/^\.\w/.test(next.text) || /\s/.test(this.#piece.text[next.at - 1] ?? ' ')) return base;
    this.#tokens.shift();
    return this.#field(base, next.text, next);
  }

  #word(token: Token): Operand {
    const { text } = token;
    if (text === 'true' || text === 'false') return { kind: 'literal', value: text === 'true' };
    if (text === 'nil') return { kind: 'literal', value: null };
    if (/^[+-]?\d/.test(text)) {
      if (Number.isNaN(Number(text))) throw this.#error(`bad number syntax: ${JSON.stringify(text)}`);
      return { kind: 'literal', value: Number(text) };
    }
    if (text.startsWith('.')) return this.#field(undefined, text, token);
    const [head = '', ...rest] = text.split('.');
    const base: Operand = head.startsWith('$') ? { kind: 'variable', name: head } : this.#function(head, token);
    return rest.length === 0 ? base : this.#field(base, `.${rest.join('.')}`, token);
  }

  #function(name: string, token: Token): Operand {
    if (!this.#functions.has(name)) throw this.#error(`function ${JSON.stringify(name)} not defined`);
    return { kind: 'function', name, place: this.#place(token) };
  }

  #field(base: Operand | undefined, text: string, token: Token): Operand {
    return { kind: 'field', base, path: text.split('.').filter((part) => part !== ''), place: this.#place(token) };
  }

  #place({ at, text }: Token): Place {
    return { line: this.#piece.line, column: this.#piece.column + at, text };
  }

  #error(message: string): TemplateError {
    return new TemplateError(`template: ${this.#name}:${this.#piece.line}: ${message}`);
  }
}
