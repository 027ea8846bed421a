import { badRequest } from '#apis/meta/status.ts';

/** One term of a field selector; all terms must hold. */
export interface FieldRequirement {
  readonly field: string;
  readonly operator: '=' | '!=';
  readonly value: string;
}
export type FieldSelector = readonly FieldRequirement[];

/** Reads `a=b,c!=d` with `\,`, `\=` and `\\` escapes. Throws BadRequest with Kubernetes' text. */
export function parseFieldSelector(text: string): FieldSelector {
  const terms: FieldRequirement[] = [];
  for (const part of splitTerms(text)) {
    if (part === '') continue;
    const match = /^((?:\\.|[^\\=!]|!(?!=))*)(!=|==|=)([\s\S]*)$/.exec(part);
    if (match === null) throw badRequest(`invalid selector: '${text}'; can't understand '${part}'`);
    const [, field = '', operator, value = ''] = match;
    terms.push({ field: field.trim(), operator: operator === '!=' ? '!=' : '=', value: unescape(value) });
  }
  return terms;
}

/** True when every term holds; `valueOf` gives a field's value, undefined counting as empty. */
export function matchesFields(selector: FieldSelector, valueOf: (field: string) => string | undefined): boolean {
  for (const { field, operator, value } of selector) if (((valueOf(field) ?? '') === value) !== (operator === '=')) return false;
  return true;
}

/** The value a selector demands of `field` with `=`, if any: lets a list by name become a get. */
export function requireExactField(selector: FieldSelector, field: string): string | undefined {
  return selector.find((term) => term.field === field && term.operator === '=')?.value;
}

/**
 * Throws BadRequest unless every field of the selector is selectable. `all` are the fields of a kind that offers no more than every
 * kind does: Kubernetes then names them.
 */
export function checkSelectable(selector: FieldSelector, isSelectable: (field: string) => boolean, all?: readonly string[]): void {
  for (const { field } of selector) {
    if (isSelectable(field)) continue;
    if (all === undefined) throw badRequest(`field label not supported: ${field}`);
    const names = all.map((name) => JSON.stringify(name)).join(', ');
    throw badRequest(`${JSON.stringify(field)} is not a known field selector: only ${names}`);
  }
}

function splitTerms(text: string): string[] {
  const terms: string[] = [];
  let start = 0;
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === ',') {
      terms.push(text.slice(start, at));
      start = at + 1;
    }
  }
  terms.push(text.slice(start));
  return terms;
}

function unescape(value: string): string {
  if (/(?<!\\)(?:\\\\)*=/.test(value))
    throw badRequest(`invalid field selector value ${JSON.stringify(value)}: unescaped character in value: '='`);
  return value.replace(/\\([\s\S]?)/g, (whole, character: string) => {
    if (character === '\\' || character === ',' || character === '=') return character;
    throw badRequest(`invalid field selector value ${JSON.stringify(value)}: invalid escape sequence: ${whole}`);
  });
}
