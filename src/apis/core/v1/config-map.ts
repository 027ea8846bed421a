import { ageColumn, column } from '#apis/meta/columns.ts';
import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { boolean, bytes, map, string, type Infer } from '#apis/schema.ts';

const core = 'io.k8s.api.core.v1';

export const configMapSchema = kindSchema(`${core}.ConfigMap`, {
  data: [2, map(string())],
  binaryData: [3, map(bytes())],
  immutable: [4, boolean()],
});
export interface ConfigMap extends Infer<typeof configMapSchema> {}

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
});
export const configMaps = resourceOf(configMapDefinition);
