import { isScalar, LineCounter, parseDocument, visit, type ParsedNode, type Tags } from 'yaml';
import type { JsonValue } from './deep.ts';
import { BodyError, StrictJsonParser } from './strict-json.ts';

export interface ParsedBody {
  readonly value: JsonValue;
  /** `duplicate field "spec.replicas"`, as strict decoding reports them; the last value counts. */
  readonly duplicates: readonly string[];
}

/** Deeper bodies are refused: everything behind recurses over them. */
export const maxDepth = 300;
const maxYamlAliases = 100;

/** Parses a body already bounded in size. Members named `__proto__` and nesting beyond `maxDepth` are refused. Throws BodyError. */
export function parseBody(body: Uint8Array | string, format: 'json' | 'yaml'): ParsedBody {
  const text = typeof body === 'string' ? body : decodeText(body);
  return format === 'json' ? parseJson(text) : parseYaml(text);
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

function decodeText(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw new BodyError('invalid UTF-8 in body', cause);
  }
}

function parseJson(text: string): ParsedBody {
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch {
    new StrictJsonParser(text, maxDepth).parse();
    throw new BodyError('invalid JSON');
  }
  // Objects keep one of two members with the same name: fewer members than names in the text means duplicates.
  if (countMembers(value, 0) === countNames(text)) return { value, duplicates: [] };
  return { value, duplicates: new StrictJsonParser(text, maxDepth).parse() };
}

/** Members of all objects. Throws BodyError for `__proto__` and for what is too deep. */
function countMembers(value: JsonValue, depth: number): number {
  if (typeof value !== 'object' || value === null) return 0;
  if (depth > maxDepth) throw new BodyError('exceeded max depth');
  let count = 0;
  if (Array.isArray(value)) {
    for (const item of value) if (typeof item === 'object') count += countMembers(item, depth + 1);
    return count;
  }
  for (const key in value) {
    if (key === '__proto__') throw new BodyError('a field may not be named "__proto__"');
    count += 1;
    const member = value[key] as JsonValue;
    if (typeof member === 'object') count += countMembers(member, depth + 1);
  }
  return count;
}

/** Strings of valid JSON that a colon follows. */
function countNames(text: string): number {
  let count = 0;
  let at = text.indexOf('"');
  while (at !== -1) {
    let end = text.indexOf('"', at + 1);
    while (isEscaped(text, end)) end = text.indexOf('"', end + 1);
    let next = end + 1;
    let code = text.charCodeAt(next);
    while (code === 32 || (code >= 9 && code <= 13)) code = text.charCodeAt((next += 1));
    if (code === 58) count += 1;
    at = text.indexOf('"', end + 1);
  }
  return count;
}

function isEscaped(text: string, quote: number): boolean {
  let backslashes = 0;
  for (let at = quote - 1; text.charCodeAt(at) === 92; at -= 1) backslashes += 1;
  return backslashes % 2 === 1;
}

/** YAML 1.1 as Go reads it: `yes` is true, but times and 1:30 stay text. */
function customTags(tags: Tags): Tags {
  return tags.filter(
    (tag) => typeof tag === 'string' || !(/timestamp|binary|set|omap|pairs/.test(tag.tag) || ('format' in tag && tag.format === 'TIME')),
  );
}

function parseYaml(text: string): ParsedBody {
  const lines = new LineCounter();
  const document = parseDocument(text, { version: '1.1', uniqueKeys: false, lineCounter: lines, customTags, logLevel: 'silent' });
  const [problem] = document.errors;
  if (problem !== undefined) throw new BodyError(`error converting YAML to JSON: yaml: ${problem.message.split('\n')[0] ?? ''}`, problem);
  checkYamlDepth(document.contents);
  let value: JsonValue;
  try {
    // Through text, so that dates, undefined and shared nodes come out as the plain JSON the rest expects.
    value = (JSON.parse(JSON.stringify(document.toJS({ maxAliasCount: maxYamlAliases })) ?? 'null') ?? null) as JsonValue;
  } catch (cause) {
    throw new BodyError(`error converting YAML to JSON: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
  countMembers(value, 0);
  return { value, duplicates: yamlDuplicates(document.contents, lines) };
}

function checkYamlDepth(root: ParsedNode | null): void {
  visit(root, (_key, _node, path) => {
    if (path.length > 2 * maxDepth) throw new BodyError('exceeded max depth');
  });
}

function yamlDuplicates(root: ParsedNode | null, lines: LineCounter): string[] {
  const duplicates: string[] = [];
  visit(root, {
    Map(_key, node) {
      const seen = new Set<unknown>();
      for (const { key } of node.items) {
        if (!isScalar(key) || key.value === '<<') continue;
        if (seen.has(key.value)) {
          const line = lines.linePos(key.range?.[0] ?? 0).line;
          duplicates.push(`line ${line}: key ${JSON.stringify(String(key.value))} already set in map`);
        }
        seen.add(key.value);
      }
    },
  });
  return duplicates.length === 0 ? [] : [`yaml: unmarshal errors:\n  ${duplicates.join('\n  ')}`];
}

/** Start of a body for messages about one that cannot be read, as kube-apiserver shows it. */
export function summarizeBody(body: Uint8Array): string {
  if (body.length === 0) return '<empty>';
  const cut = body.length > 30;
  const start = Buffer.from(body.buffer, body.byteOffset, Math.min(30, body.length));
  const text = body[0] === 0x7b ? start.toString('utf8') : start.toString('hex');
  return cut ? `${text} ...` : text;
}

export { BodyError };
