import { fieldForbidden, fieldInvalid, fieldNotSupported, fieldRequired, type FieldError } from '#apis/meta/field-error.ts';
import type { Schema } from '#apis/schema.ts';
import { compiledPattern } from '#machinery/patterns.ts';

const types = ['array', 'boolean', 'integer', 'number', 'object', 'string'];
const maxFindings = 50;
/** Words that describe the structure; inside allOf, anyOf, oneOf and not they may only narrow values. */
const structuralWords = [
  'type',
  'default',
  'additionalProperties',
  'nullable',
  'description',
  'x-kubernetes-preserve-unknown-fields',
] as const;

/**
 * Findings of a CustomResourceDefinition's schema against the rules of structural schemas (Kubernetes docs, "Specifying a
 * structural schema"): every part says its type, and what the junctors mention is described outside of them too.
 */
export function structuralErrors(schema: Schema, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (schema.type !== 'object') {
    const text = 'must be object at the root';
    errors.push(schema.type === undefined ? fieldRequired(`${path}.type`, text) : fieldInvalid(`${path}.type`, schema.type, text));
  }
  visit(schema, path, true, errors);
  return errors.slice(0, maxFindings);
}

function visit(schema: Schema, path: string, root: boolean, errors: FieldError[]): void {
  if (errors.length >= maxFindings) return;
  const intOrString = schema['x-kubernetes-int-or-string'] === true;
  const open = schema['x-kubernetes-preserve-unknown-fields'] === true;
  if (schema.type === undefined) {
    if (!intOrString && !open && !root) errors.push(fieldRequired(`${path}.type`, 'must not be empty for specified object fields'));
  } else if (!types.includes(schema.type)) errors.push(fieldNotSupported(`${path}.type`, schema.type, types));
  if (intOrString && schema.type !== undefined)
    errors.push(fieldForbidden(`${path}.type`, 'must be empty if x-kubernetes-int-or-string is true'));
  if (schema.properties !== undefined && schema.additionalProperties !== undefined && schema.additionalProperties !== false)
    errors.push(fieldForbidden(`${path}.additionalProperties`, 'additionalProperties and properties are mutual exclusive'));
  if (schema.additionalProperties === false) errors.push(fieldForbidden(`${path}.additionalProperties`, 'must not be false'));
  if (schema.uniqueItems === true)
    errors.push(fieldForbidden(`${path}.uniqueItems`, 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic'));
  if (schema.type === 'array' && schema.items === undefined) errors.push(fieldRequired(`${path}.items`, 'must be specified'));
  if (schema.pattern !== undefined && compiledPattern(schema.pattern) === undefined)
    errors.push(fieldInvalid(`${path}.pattern`, schema.pattern, 'must be a valid regular expression'));
  if (root && schema.properties?.['metadata'] !== undefined)
    metadataErrors(schema.properties['metadata'], `${path}.properties[metadata]`, errors);
  listErrors(schema, path, errors);
  for (const [name, property] of Object.entries(schema.properties ?? {})) visit(property, `${path}.properties[${name}]`, false, errors);
  if (schema.items !== undefined) visit(schema.items, `${path}.items`, false, errors);
  if (typeof schema.additionalProperties === 'object') visit(schema.additionalProperties, `${path}.additionalProperties`, false, errors);
  junctorErrors(schema, path, intOrString, errors);
}

/** At the root only the name may be restricted: the server knows what metadata looks like. */
function metadataErrors(schema: Schema, path: string, errors: FieldError[]): void {
  for (const name of Object.keys(schema.properties ?? {})) {
    if (name === 'name' || name === 'generateName') continue;
    errors.push(
      fieldForbidden(
        `${path}.properties[${name}]`,
        'must not specify anything other than name and generateName, but metadata is implicitly specified',
      ),
    );
  }
}

function listErrors(schema: Schema, path: string, errors: FieldError[]): void {
  const listType = schema['x-kubernetes-list-type'];
  if (listType === undefined) return;
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  if (schema.type !== 'array')
    errors.push(fieldInvalid(`${path}.type`, schema.type ?? '', 'must be array if x-kubernetes-list-type is specified'));
  if (listType !== 'map') return;
  if (keys.length === 0)
    errors.push(fieldRequired(`${path}.x-kubernetes-list-map-keys`, 'must not be empty if x-kubernetes-list-type is map'));
  for (const [index, key] of keys.entries()) {
    if (schema.items?.properties?.[key] === undefined)
      errors.push(fieldInvalid(`${path}.x-kubernetes-list-map-keys[${index}]`, key, 'entries must all be names of item properties'));
  }
}

function junctorErrors(schema: Schema, path: string, intOrString: boolean, errors: FieldError[]): void {
  const junctors = [
    ...(['allOf', 'anyOf', 'oneOf'] as const).flatMap((word) =>
      (schema[word] ?? []).map((one, index) => [`${path}.${word}[${index}]`, one] as const),
    ),
    ...(schema.not === undefined ? [] : [[`${path}.not`, schema.not] as const]),
  ];
  for (const [at, one] of junctors) inJunctor(one, at, intOrString, errors);
}

function inJunctor(schema: Schema, path: string, intOrString: boolean, errors: FieldError[]): void {
  for (const word of structuralWords) {
    if (schema[word] === undefined || (word === 'type' && intOrString)) continue;
    errors.push(
      fieldForbidden(`${path}.${word}`, word === 'type' ? 'must be empty to be structural' : 'must be undefined to be structural'),
    );
  }
  for (const [name, property] of Object.entries(schema.properties ?? {}))
    inJunctor(property, `${path}.properties[${name}]`, intOrString, errors);
  if (schema.items !== undefined) inJunctor(schema.items, `${path}.items`, intOrString, errors);
  junctorErrors(schema, path, intOrString, errors);
}
