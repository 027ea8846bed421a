import { mergeStringData, validateSecret, validateSecretUpdate } from '#apis/core/v1/validate-secret.ts';
import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn, column } from '#apis/meta/columns.ts';
import { boolean, bytes, map, string, type Infer } from '#apis/schema.ts';

const core = 'io.k8s.api.core.v1';

export const secretSchema = kindSchema(`${core}.Secret`, {
  data: [2, map(bytes())],
  type: [3, string({ default: 'Opaque' })],
  stringData: [4, map(string())],
  immutable: [5, boolean()],
});
export interface Secret extends Infer<typeof secretSchema> {}

export const secretDefinition = defineBuiltin<Secret>({
  group: '',
  kind: 'Secret',
  plural: 'secrets',
  versions: [
    {
      name: 'v1',
      schema: secretSchema,
      served: true,
      columns: [
        column<Secret>('Type', ({ type }) => type ?? ''),
        column<Secret>('Data', ({ data }) => Object.keys(data ?? {}).length, 'integer'),
        ageColumn,
      ],
    },
  ],
  selectableFields: ({ type }) => ({ type: type ?? '' }),
  prepare: mergeStringData,
  validate: (secret, { old }) => [...validateSecret(secret), ...(old === undefined ? [] : validateSecretUpdate(secret, old))],
});
export const secrets = resourceOf(secretDefinition);
