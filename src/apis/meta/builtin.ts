import { defineKind, type AdmissionContext, type KindDefinition, type KindInput } from '#apis/definition.ts';
import { objectMetaSchema, type KubeObject } from '#apis/meta/object.ts';
import { isPair, object, string, type InferObject, type InferProperty, type Property, type Schema, type Typed } from '#apis/schema.ts';

/** A kind's object type: `spec` is always there, as Kubernetes fills it with its zero value. */
type KindObject<P> = KubeObject & InferObject<Omit<P, 'spec'>> & SpecOf<P>;
type SpecOf<P> = P extends { readonly spec: infer S extends Property } ? { spec: InferProperty<S> } : unknown;

/** The schema of a built-in kind: its own properties after `apiVersion`, `kind` and `metadata`. */
export function kindSchema<const P extends Readonly<Record<string, Property>>>(name: string, properties: P): Typed<KindObject<P>> {
  const { spec, ...others } = properties as Readonly<Record<string, Property>>;
  return object(name, {
    apiVersion: string(),
    kind: string(),
    metadata: [1, objectMetaSchema],
    ...(spec === undefined ? {} : { spec: filled(spec) }),
    ...others,
  }) as Typed<KindObject<P>>;
}

/** The zero value of a struct is an empty object. */
function filled(property: Property): Property {
  if (!isPair(property)) return { ...property, default: {} };
  return [property[0], { ...property[1], default: {} }];
}

/**
 * A definition whose objects are first cleaned of values that mean "not given" to Kubernetes' own types. Its defaults see only
 * objects that have what the schema requires (the others are refused later anyway), and its validation is about the object, not
 * its status: updates of the status alone pass it by.
 */
export function defineBuiltin<T extends KubeObject>(input: KindInput<T>): KindDefinition<T> {
  const schemas = new Map(input.versions.map(({ name, schema }) => [name, schema]));
  const schemaOf = ({ apiVersion = '' }: T): Schema => schemas.get(apiVersion.split('/').at(-1) ?? '') ?? input.versions[0]?.schema ?? {};
  const { validate } = input;
  return defineKind<T>({
    ...input,
    prepare(object, context) {
      dropUnset(object, schemaOf(object));
      input.prepare?.(object, context);
    },
    default(object, context) {
      if (input.default !== undefined && isComplete(object, schemaOf(object))) input.default(object, context);
    },
    ...(validate === undefined
      ? {}
      : { validate: (object: T, context: AdmissionContext<T>) => (context.subresource === 'status' ? [] : validate(object, context)) }),
  });
}

/** Whether every object inside `value` has its required properties. */
function isComplete(value: unknown, schema: Schema): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (Array.isArray(value)) return value.every((item) => isComplete(item, schema.items ?? {}));
  const record = value as Record<string, unknown>;
  if (schema.required?.some((key) => record[key] === undefined) === true) return false;
  return Object.entries(record).every(([key, child]) => isComplete(child, childOf(schema, key)));
}

/**
 * Undoes what Kubernetes' decoding into Go structs does not tell from an absent field: null everywhere, and the empty string
 * where a value of an enumeration or a default is expected.
 */
export function dropUnset(value: unknown, schema: Schema): void {
  if (Array.isArray(value)) {
    if (schema.items !== undefined) for (const item of value) dropUnset(item, schema.items);
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  const record = value as Record<string, unknown>;
  for (const [key, child] of Object.entries(record)) {
    const childSchema = childOf(schema, key);
    if (child === null) delete record[key];
    else if (child !== '') dropUnset(child, childSchema);
    else if (childSchema.default !== undefined) record[key] = childSchema.default;
    else if (childSchema.enum !== undefined && !childSchema.enum.includes('')) delete record[key];
  }
}

function childOf({ properties, additionalProperties }: Schema, key: string): Schema {
  return properties?.[key] ?? (typeof additionalProperties === 'object' ? additionalProperties : {});
}
