import type { KindDefinition } from '#apis/definition.ts';
import { objectMetaSchema } from '#apis/meta/object.ts';
import { schemaName, type Schema } from '#apis/schema.ts';

export type OpenApiSchema = Readonly<Record<string, unknown>>;

const string: OpenApiSchema = { type: 'string' };

/** `io.k8s.api.apps.v1.Deployment`: the name a kind's schema goes by; custom kinds are named after their reversed group. */
export function componentName({ group, kind }: KindDefinition, version: string, schema: Schema): string {
  const reversed = group.split('.').toReversed().join('.');
  return schema[schemaName] ?? `${reversed === '' ? 'core' : reversed}.${version}.${kind}`;
}

/** Collects the component schemas of one document: named schemas become components, the rest stays in place. */
export class Components {
  readonly schemas: Record<string, OpenApiSchema> = {};

  /** Adds a kind's root schema under its name; with its identity, so that `explain` finds it. */
  addKind(name: string, schema: Schema, identity: { group: string; version: string; kind: string }): void {
    const { properties = {}, ...rest } = schema;
    const complete: Schema = { ...rest, type: 'object', properties: { apiVersion: {}, kind: {}, ...properties, metadata: {} } };
    const converted = this.#inline(complete) as Record<string, unknown> & { properties: Record<string, OpenApiSchema> };
    const meta = this.#reference(objectMetaSchema);
    const described = { ...converted.properties, apiVersion: string, kind: string, metadata: meta };
    this.schemas[name] = { ...converted, properties: described, 'x-kubernetes-group-version-kind': [identity] };
  }

  /** Adds a plain named component. */
  add(name: string, schema: OpenApiSchema): void {
    this.schemas[name] = schema;
  }

  /** A schema at its place of use: by reference when it has a name. */
  convert(schema: Schema): OpenApiSchema {
    return schema[schemaName] === undefined ? this.#inline(schema) : this.#reference(schema);
  }

  #reference(schema: Schema): OpenApiSchema {
    const name = schema[schemaName] ?? '';
    if (!(name in this.schemas)) {
      // Entered first: a schema may contain itself.
      this.schemas[name] = {};
      const { default: _default, ...shared } = schema;
      this.schemas[name] = shared['x-kubernetes-int-or-string'] === true ? scalarOf(shared) : this.#inline(shared);
    }
    const extras = Object.fromEntries(
      Object.entries(schema).filter(([key]) => key === 'description' || key === 'default' || key.startsWith('x-kubernetes-patch')),
    );
    return { allOf: [{ $ref: `#/components/schemas/${name}` }], ...extras };
  }

  #inline(schema: Schema): OpenApiSchema {
    const { properties, additionalProperties, items, allOf, anyOf, oneOf, not, ...rest } = schema;
    const intOrString = rest['x-kubernetes-int-or-string'] === true && rest.type === undefined;
    return {
      ...rest,
      ...(intOrString && anyOf === undefined ? { format: 'int-or-string', oneOf: [{ type: 'integer' }, { type: 'string' }] } : {}),
      ...(properties === undefined ? {} : { properties: this.#map(properties) }),
      ...(additionalProperties === undefined ? {} : { additionalProperties: this.#orBoolean(additionalProperties) }),
      ...(items === undefined ? {} : { items: this.convert(items) }),
      ...(allOf === undefined ? {} : { allOf: allOf.map((one) => this.convert(one)) }),
      ...(anyOf === undefined ? {} : { anyOf: anyOf.map((one) => this.convert(one)) }),
      ...(oneOf === undefined ? {} : { oneOf: oneOf.map((one) => this.convert(one)) }),
      ...(not === undefined ? {} : { not: this.convert(not) }),
    };
  }

  #map(properties: Readonly<Record<string, Schema>>): Record<string, OpenApiSchema> {
    return Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, this.convert(schema)]));
  }

  #orBoolean(schema: Schema | boolean): OpenApiSchema | boolean {
    return typeof schema === 'boolean' ? schema : this.convert(schema);
  }
}

/** The named scalars of two types: their name says what they are, as in Kubernetes' own document. */
function scalarOf({ format }: Schema): OpenApiSchema {
  if (format === 'quantity') return { oneOf: [string, { type: 'number' }] };
  return { format: 'int-or-string', oneOf: [{ type: 'integer' }, string] };
}
