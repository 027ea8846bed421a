import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn, column } from '#apis/meta/columns.ts';
import { jsonEqual } from '#apis/meta/equal.ts';
import { fieldForbidden, fieldInvalid, fieldTooLong, type FieldError } from '#apis/meta/field-error.ts';
import { checkConfigMapKey } from '#apis/meta/names.ts';
import { invalidFor } from '#apis/meta/validation.ts';
import { boolean, bytes, map, string, type Infer } from '#apis/schema.ts';

const core = 'io.k8s.api.core.v1';

export const configMapSchema = kindSchema(`${core}.ConfigMap`, {
  data: [2, map(string())],
  binaryData: [3, map(bytes())],
  immutable: [4, boolean()],
});
export interface ConfigMap extends Infer<typeof configMapSchema> {}

const maxBytes = 1024 * 1024;

function contentErrors({ data = {}, binaryData = {} }: ConfigMap): readonly FieldError[] {
  const errors: FieldError[] = [];
  let size = 0;
  for (const [key, value] of Object.entries(data)) {
    errors.push(...invalidFor(`data[${key}]`, key, checkConfigMapKey(key)));
    if (Object.hasOwn(binaryData, key)) errors.push(fieldInvalid(`data[${key}]`, key, 'duplicate of key present in binaryData'));
    size += Buffer.byteLength(value);
  }
  for (const [key, value] of Object.entries(binaryData)) {
    errors.push(...invalidFor(`binaryData[${key}]`, key, checkConfigMapKey(key)));
    size += Buffer.byteLength(value, 'base64');
  }
  return size > maxBytes ? [...errors, fieldTooLong('', maxBytes)] : errors;
}

function immutabilityErrors(configMap: ConfigMap, old: ConfigMap): readonly FieldError[] {
  if (old.immutable !== true) return [];
  const text = 'field is immutable when `immutable` is set';
  const errors: FieldError[] = configMap.immutable === true ? [] : [fieldForbidden('immutable', text)];
  for (const field of ['data', 'binaryData'] as const) {
    if (!jsonEqual(configMap[field], old[field])) errors.push(fieldForbidden(field, text));
  }
  return errors;
}

export const configMapDefinition = defineBuiltin<ConfigMap>({
  group: '',
  kind: 'ConfigMap',
  plural: 'configmaps',
  shortNames: ['cm'],
  versions: [
    {
      name: 'v1',
      schema: configMapSchema,
      served: true,
      columns: [
        column<ConfigMap>(
          'Data',
          ({ data, binaryData }) => Object.keys(data ?? {}).length + Object.keys(binaryData ?? {}).length,
          'integer',
        ),
        ageColumn,
      ],
    },
  ],
  validate: (configMap, { old }) => [...contentErrors(configMap), ...(old === undefined ? [] : immutabilityErrors(configMap, old))],
});
export const configMaps = resourceOf(configMapDefinition);
