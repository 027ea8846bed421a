/** A body that is no JSON or YAML; the message is what Go's decoder says. */
export class BodyError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'BodyError';
  }
}

const maxDuplicates = 100;

/**
 * The slow reader behind `parseBody`: walks JSON text to find the paths of duplicate members and to word syntax errors
 * as Go's encoding/json does. It runs only for bodies already known to be odd.
 */
export class StrictJsonParser {
  readonly #text: string;
  readonly #maxDepth: number;
  readonly #duplicates: string[] = [];
  #at = 0;

  constructor(text: string, maxDepth: number) {
    this.#text = text;
    this.#maxDepth = maxDepth;
  }

  /** The duplicate members' messages. Throws BodyError for text that is no JSON. */
  parse(): string[] {
    this.#value('', 0);
    this.#blanks();
    if (this.#at < this.#text.length) throw this.#invalid('after top-level value');
    return this.#duplicates;
  }

  #value(path: string, depth: number): void {
    if (depth > this.#maxDepth) throw new BodyError('exceeded max depth');
    this.#blanks();
    const character = this.#text[this.#at];
    if (character === '{') this.#object(path, depth);
    else if (character === '[') this.#list(path, depth);
    else if (character === '"') this.#string();
    else if (character !== undefined && /[-0-9]/.test(character)) this.#number();
    else this.#literal();
  }

  #object(path: string, depth: number): void {
    const seen = new Set<string>();
    this.#at += 1;
    this.#blanks();
    if (this.#skip('}')) return;
    for (;;) {
      this.#blanks();
      if (this.#text[this.#at] !== '"') throw this.#invalid('looking for beginning of object key string');
      const name = this.#string();
      const field = path === '' ? name : `${path}.${name}`;
      if (seen.has(name) && this.#duplicates.length < maxDuplicates) this.#duplicates.push(`duplicate field "${field}"`);
      seen.add(name);
      this.#blanks();
      if (!this.#skip(':')) throw this.#invalid('after object key');
      this.#value(field, depth + 1);
      this.#blanks();
      if (this.#skip('}')) return;
      if (!this.#skip(',')) throw this.#invalid('after object key:value pair');
    }
  }

  #list(path: string, depth: number): void {
    this.#at += 1;
    this.#blanks();
    if (this.#skip(']')) return;
    for (let index = 0; ; index += 1) {
      this.#value(`${path}[${index}]`, depth + 1);
      this.#blanks();
      if (this.#skip(']')) return;
      if (!this.#skip(',')) throw this.#invalid('after array element');
    }
  }

  #string(): string {
    const start = this.#at;
    this.#at += 1;
    for (;;) {
      const character = this.#text[this.#at];
      if (character === undefined) throw this.#invalid('in string literal');
      if (character < ' ') throw this.#invalid('in string literal');
      this.#at += 1;
      if (character === '"') return JSON.parse(this.#text.slice(start, this.#at)) as string;
      if (character !== '\\') continue;
      const escape = /(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
      escape.lastIndex = this.#at;
      const match = escape.exec(this.#text);
      if (match === null) throw this.#invalid('in string escape code');
      this.#at += match[0].length;
    }
  }

  #number(): void {
    const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?/y;
    number.lastIndex = this.#at;
    const match = number.exec(this.#text);
    if (match === null) {
      this.#at += 1;
      throw this.#invalid('in numeric literal');
    }
    this.#at += match[0].length;
  }

  #literal(): void {
    for (const word of ['true', 'false', 'null']) {
      if (this.#text[this.#at] !== word[0]) continue;
      for (let index = 0; index < word.length; index += 1, this.#at += 1)
        if (this.#text[this.#at] !== word[index]) throw this.#invalid(`in literal ${word} (expecting '${word[index]}')`);
      return;
    }
    throw this.#invalid('looking for beginning of value');
  }

  #blanks(): void {
    while (/[ \t\r\n]/.test(this.#text[this.#at] ?? '')) this.#at += 1;
  }

  #skip(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #invalid(where: string): BodyError {
    const character = this.#text[this.#at];
    if (character === undefined) return new BodyError('unexpected end of JSON input');
    const shown = character === "'" ? "'\\''" : character < ' ' ? JSON.stringify(character).replaceAll('"', "'") : `'${character}'`;
    return new BodyError(`invalid character ${shown} ${where}`);
  }
}
