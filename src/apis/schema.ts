/**
 * The structural schema of a kind, written once and used for everything: decoding, defaulting, pruning, validation,
 * server-side apply, strategic merge, OpenAPI, protobuf request bodies and the TypeScript type.
 *
 * At run time a schema is the plain JSON of a CustomResourceDefinition's `openAPIV3Schema`, so that built-in kinds and
 * custom ones go through the same code. What JSON schema has no word for hangs on symbols (not serialised).
 */
export interface Schema {
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  readonly description?: string;
  readonly format?: string;
  readonly nullable?: boolean;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: boolean;
  readonly exclusiveMaximum?: boolean;
  readonly multipleOf?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly uniqueItems?: boolean;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly allOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly not?: Schema;
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean;
  readonly 'x-kubernetes-int-or-string'?: boolean;
  readonly 'x-kubernetes-embedded-resource'?: boolean;
  readonly 'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map';
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-map-type'?: 'atomic' | 'granular';
  /** Strategic merge patch, built-in kinds only: `merge`, `retainKeys`, `merge,retainKeys`. */
  readonly 'x-kubernetes-patch-strategy'?: string;
  readonly 'x-kubernetes-patch-merge-key'?: string;
  readonly 'x-kubernetes-validations'?: readonly ValidationRule[];
  /** OpenAPI component name such as `io.k8s.api.core.v1.PodSpec`; absent for anonymous schemas. */
  readonly [schemaName]?: string;
  /** Protobuf field numbers of `properties`, for kinds that clients send as protobuf. */
  readonly [protobufFields]?: Readonly<Record<string, number>>;
  /**
   * Properties that protobuf keeps in an embedded message while JSON has them inline: number of the embedded message, number
   * inside it. `Probe.exec` is field 1 of the message in field 1 (`handler`).
   */
  readonly [protobufEmbedded]?: Readonly<Record<string, readonly [number, number]>>;
  /** How a scalar travels in protobuf, where its JSON type does not say. */
  readonly [protobufScalar]?: ProtobufScalar;
}

export interface ValidationRule {
  readonly rule: string;
  readonly message?: string;
  readonly messageExpression?: string;
  readonly reason?: string;
  readonly fieldPath?: string;
  readonly optionalOldSelf?: boolean;
}

/** `quantity`, `time`, `microTime`, `intOrString` and `raw` are messages of their own on the wire; `bytes` is base64 in JSON. */
export type ProtobufScalar = 'bytes' | 'quantity' | 'time' | 'microTime' | 'intOrString' | 'duration' | 'double' | 'raw' | 'fieldsV1';

export const schemaName: unique symbol = Symbol('schemaName');
export const protobufFields: unique symbol = Symbol('protobufFields');
export const protobufEmbedded: unique symbol = Symbol('protobufEmbedded');
export const protobufScalar: unique symbol = Symbol('protobufScalar');
declare const typeTag: unique symbol;

/** A schema that also carries the TypeScript type of its values. */
export interface Typed<T> extends Schema {
  readonly [typeTag]?: T;
}

/** The TypeScript type of a schema's values. */
export type Infer<S> = S extends Typed<infer T> ? T : unknown;

/** Where protobuf keeps a property: its field number, or `[number of the embedded message, number inside it]`. */
type FieldNumber = number | readonly [number, number];
/** A property: a schema, or `[protobuf field number, schema]`. */
export type Property = Schema | readonly [FieldNumber, Schema];
type PropertySchema<P> = P extends readonly [FieldNumber, infer S] ? S : P;
/** The TypeScript type of a property's values. */
export type InferProperty<P extends Property> = Infer<PropertySchema<P>>;
type Required<T> = Typed<T> & { readonly requiredField: true };
type RequiredKeys<P> = { [K in keyof P]: PropertySchema<P[K]> extends { readonly requiredField: true } ? K : never }[keyof P];

/** The object type of a property table: required properties plain, the others optional. */
export type InferObject<P> = { [K in RequiredKeys<P>]: Infer<PropertySchema<P[K]>> } & {
  [K in Exclude<keyof P, RequiredKeys<P>>]?: Infer<PropertySchema<P[K]>>;
};

export type Extensions = Partial<Omit<Schema, 'properties' | 'items'>>;

const requiredMark = Symbol('required');

/** Marks a property as required by its parent object. */
export function required<T>(schema: Typed<T>): Required<T> {
  return { ...schema, [requiredMark]: true } as unknown as Required<T>;
}

/**
 * An object with the given properties; `name` is its OpenAPI component name, null for an anonymous one.
 * Deep or recursive types read better with an explicit `T`.
 */
export function object<const P extends Readonly<Record<string, Property>>, T = InferObject<P>>(
  name: string | null,
  properties: P,
  extensions: Extensions = {},
): Typed<T> {
  const schemas: Record<string, Schema> = {};
  const numbers: Record<string, number> = {};
  const embedded: Record<string, readonly [number, number]> = {};
  const needed: string[] = [];
  for (const [key, property] of Object.entries(properties)) {
    const pair = isPair(property);
    const { [requiredMark]: isRequired, ...schema } = (pair ? property[1] : property) as Schema & { [requiredMark]?: true };
    schemas[key] = schema;
    if (pair && typeof property[0] === 'number') numbers[key] = property[0];
    else if (pair) embedded[key] = property[0] as readonly [number, number];
    if (isRequired) needed.push(key);
  }
  return {
    type: 'object',
    properties: schemas,
    ...(needed.length === 0 ? {} : { required: needed }),
    ...extensions,
    ...(name === null ? {} : { [schemaName]: name }),
    ...(Object.keys(numbers).length === 0 ? {} : { [protobufFields]: numbers }),
    ...(Object.keys(embedded).length === 0 ? {} : { [protobufEmbedded]: embedded }),
  };
}

/** Tells a numbered property from a bare schema. */
export function isPair(property: Property): property is readonly [FieldNumber, Schema] {
  return Array.isArray(property);
}

export const string = (extensions: Extensions = {}): Typed<string> => ({ type: 'string', ...extensions });
export const enumeration = <const V extends string>(values: readonly V[], extensions: Extensions = {}): Typed<V> => ({
  type: 'string',
  enum: values,
  ...extensions,
});
export const boolean = (extensions: Extensions = {}): Typed<boolean> => ({ type: 'boolean', ...extensions });
export const int32 = (extensions: Extensions = {}): Typed<number> => ({ type: 'integer', format: 'int32', ...extensions });
export const int64 = (extensions: Extensions = {}): Typed<number> => ({ type: 'integer', format: 'int64', ...extensions });
export const double = (extensions: Extensions = {}): Typed<number> => ({
  type: 'number',
  format: 'double',
  [protobufScalar]: 'double',
  ...extensions,
});
/** Base64 in JSON. */
export const bytes = (): Typed<string> => ({ type: 'string', format: 'byte', [protobufScalar]: 'bytes' });
/** RFC 3339, whole seconds. */
export const time = (): Typed<string> => ({ type: 'string', format: 'date-time', nullable: true, [protobufScalar]: 'time' });
/** RFC 3339 with microseconds. */
export const microTime = (): Typed<string> => ({ type: 'string', format: 'date-time', nullable: true, [protobufScalar]: 'microTime' });
export const intOrString = (extensions: Extensions = {}): Typed<number | string> => ({
  'x-kubernetes-int-or-string': true,
  [schemaName]: 'io.k8s.apimachinery.pkg.util.intstr.IntOrString',
  [protobufScalar]: 'intOrString',
  ...extensions,
});
/** Kubernetes resource.Quantity; built-in kinds store its canonical form, custom ones the text they were given. */
export const quantity = (): Typed<string | number> => ({
  'x-kubernetes-int-or-string': true,
  format: 'quantity',
  [schemaName]: 'io.k8s.apimachinery.pkg.api.resource.Quantity',
  [protobufScalar]: 'quantity',
});
/** Any JSON; unknown fields are kept. */
export const anything = <T = unknown>(extensions: Extensions = {}): Typed<T> => ({
  'x-kubernetes-preserve-unknown-fields': true,
  [protobufScalar]: 'raw',
  ...extensions,
});
export const map = <T>(values: Typed<T>, extensions: Extensions = {}): Typed<Record<string, T>> => ({
  type: 'object',
  additionalProperties: values,
  ...extensions,
});
/** A list replaced as a whole by apply and strategic merge. */
export const list = <T>(items: Typed<T>, extensions: Extensions = {}): Typed<T[]> => ({
  type: 'array',
  items,
  'x-kubernetes-list-type': 'atomic',
  ...extensions,
});
/** A list of distinct scalars, merged as a set. */
export const listSet = <T>(items: Typed<T>, extensions: Extensions = {}): Typed<T[]> => ({
  type: 'array',
  items,
  'x-kubernetes-list-type': 'set',
  ...extensions,
});
/** A list merged by `keys`; the first key is also the strategic merge key unless `extensions` say otherwise. */
export const listMap = <T>(items: Typed<T>, keys: readonly [string, ...string[]], extensions: Extensions = {}): Typed<T[]> => ({
  type: 'array',
  items,
  'x-kubernetes-list-type': 'map',
  'x-kubernetes-list-map-keys': keys,
  'x-kubernetes-patch-strategy': 'merge',
  'x-kubernetes-patch-merge-key': keys[0],
  ...extensions,
});
/** A list merged by `keys` in server-side apply, but replaced as a whole by strategic merge. */
export const listMapReplaced = <T>(items: Typed<T>, keys: readonly [string, ...string[]]): Typed<T[]> => ({
  type: 'array',
  items,
  'x-kubernetes-list-type': 'map',
  'x-kubernetes-list-map-keys': keys,
});
