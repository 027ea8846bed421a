import type { Schema } from '#apis/schema.ts';
import { celDuration, declareType, newCelEnvironment, type CelEnvironment } from './cel-environment.ts';
import { isObject, own, type JsonObject, type JsonValue } from './deep.ts';
import { parseGoDuration } from '#core/duration.ts';

/** How values of a schema look to CEL rules: names, types, and the conversion of JSON to them. */
export interface CelType {
  /** The CEL type: `int`, `list<string>`, `T3`, `dyn`. */
  readonly name: string;
  /** The value rules see; undefined for what counts as absent. */
  convert(value: JsonValue): unknown;
}

const keywords = new Set([
  'true',
  'false',
  'null',
  'in',
  'as',
  'break',
  'const',
  'continue',
  'else',
  'for',
  'function',
  'if',
  'import',
  'let',
  'loop',
  'package',
  'namespace',
  'return',
  'var',
  'void',
  'while',
]);

/** A property name as rules write it: `foo__dot__bar`, `__namespace__`; undefined for names CEL cannot say. */
function celFieldName(name: string): string | undefined {
  if (keywords.has(name)) return `__${name}__`;
  const escaped = name
    .replaceAll('__', '__underscores__')
    .replaceAll('.', '__dot__')
    .replaceAll('-', '__dash__')
    .replaceAll('/', '__slash__');
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(escaped) ? escaped : undefined;
}

const scalar = (name: string, convert: (value: JsonValue) => unknown): CelType => ({ name, convert });
const text = scalar('string', (value) => (typeof value === 'string' ? value : undefined));
const integer = scalar('int', (value) => (Number.isInteger(value) ? BigInt(value as number) : undefined));
const double = scalar('double', (value) => (typeof value === 'number' ? value : undefined));
const bool = scalar('bool', (value) => (typeof value === 'boolean' ? value : undefined));
const dynamic = scalar('dyn', dynamicValue);
const timestamp = scalar('google.protobuf.Timestamp', (value) => (typeof value === 'string' ? new Date(value) : undefined));
const duration = scalar('google.protobuf.Duration', (value) =>
  typeof value === 'string' ? celDuration(parseGoDuration(value)) : undefined,
);
const bytes = scalar('bytes', (value) => (typeof value === 'string' ? new Uint8Array(Buffer.from(value, 'base64')) : undefined));

/** JSON as expressions without types see it: whole numbers are ints, objects are maps. */
export function dynamicValue(value: JsonValue): unknown {
  if (typeof value === 'number') return Number.isInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(dynamicValue);
  if (isObject(value)) return new Map(Object.entries(value).map(([key, member]) => [key, dynamicValue(member)]));
  return value;
}

/** The types of one kind's schema, declared in one environment as rules ask for them. */
export class CelTypes {
  readonly environment: CelEnvironment = newCelEnvironment();
  readonly #types = new Map<Schema, CelType>();
  #messages = 0;

  /** `isResource`: the root and embedded resources also have apiVersion, kind and metadata's name and generateName. */
  typeOf(schema: Schema, isResource = schema['x-kubernetes-embedded-resource'] === true): CelType {
    let type = this.#types.get(schema);
    if (type === undefined) {
      type = this.#make(schema, isResource);
      this.#types.set(schema, type);
    }
    return type;
  }

  #make(schema: Schema, isResource: boolean): CelType {
    if (schema['x-kubernetes-int-or-string'] === true) return dynamic;
    switch (schema.type) {
      case 'string':
        return stringType(schema.format);
      case 'integer':
        return integer;
      case 'number':
        return double;
      case 'boolean':
        return bool;
      case 'array':
        return this.#list(schema);
      case 'object':
        return this.#object(schema, isResource);
      default:
        return isResource ? this.#object(schema, true) : dynamic;
    }
  }

  #list(schema: Schema): CelType {
    const items = schema.items === undefined ? dynamic : this.typeOf(schema.items);
    return scalar(`list<${items.name}>`, (value) => (Array.isArray(value) ? value.map((item) => items.convert(item)) : undefined));
  }

  #object(schema: Schema, isResource: boolean): CelType {
    if (schema.properties !== undefined || isResource) return this.#message(schema, isResource);
    const others = schema.additionalProperties;
    if (others === undefined || others === false)
      return schema['x-kubernetes-preserve-unknown-fields'] === true ? dynamic : this.#message(schema, false);
    const values = others === true ? dynamic : this.typeOf(others);
    return scalar(`map<string, ${values.name}>`, (value) =>
      isObject(value) ? new Map(Object.entries(value).map(([key, member]) => [key, values.convert(member)])) : undefined,
    );
  }

  #message(schema: Schema, isResource: boolean): CelType {
    const members = new Map<string, { readonly field: string; readonly type: CelType }>();
    for (const [key, property] of Object.entries(
      isResource ? { ...schema.properties, ...resourceProperties } : (schema.properties ?? {}),
    )) {
      const field = celFieldName(key);
      if (field !== undefined) members.set(key, { field, type: this.typeOf(property) });
    }
    const ctor = newClass();
    const name = `Object${(this.#messages += 1)}`;
    declareType(this.environment, name, ctor, Object.fromEntries([...members.values()].map(({ field, type }) => [field, type.name])));
    return {
      name,
      convert(value) {
        if (!isObject(value)) return undefined;
        const result: Record<string, unknown> = new ctor() as Record<string, unknown>;
        for (const [key, { field, type }] of members) {
          const member = own(value as JsonObject, key);
          const converted = member === undefined || member === null ? undefined : type.convert(member);
          if (converted !== undefined) result[field] = converted;
        }
        return result;
      },
    };
  }
}

/** The library tells object types apart by their constructors. */
function newClass(): new () => object {
  return class extends Object {};
}

const resourceProperties: Readonly<Record<string, Schema>> = {
  apiVersion: { type: 'string' },
  kind: { type: 'string' },
  metadata: { type: 'object', properties: { name: { type: 'string' }, generateName: { type: 'string' } } },
};

function stringType(format: string | undefined): CelType {
  if (format === 'date-time' || format === 'date') return timestamp;
  if (format === 'duration') return duration;
  return format === 'byte' ? bytes : text;
}
