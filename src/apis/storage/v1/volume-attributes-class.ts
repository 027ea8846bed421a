import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn, column } from '#apis/meta/columns.ts';
import { immutable, requiredText } from '#apis/meta/validation.ts';
import { map, required, string, type Infer } from '#apis/schema.ts';

const storage = 'io.k8s.api.storage.v1';

export const volumeAttributesClassSchema = kindSchema(`${storage}.VolumeAttributesClass`, {
  driverName: [2, required(string())],
  parameters: [3, map(string())],
});
export interface VolumeAttributesClass extends Infer<typeof volumeAttributesClassSchema> {}

export const volumeAttributesClassDefinition = defineBuiltin<VolumeAttributesClass>({
  group: 'storage.k8s.io',
  kind: 'VolumeAttributesClass',
  plural: 'volumeattributesclasses',
  shortNames: ['vac'],
  namespaced: false,
  versions: [
    {
      name: 'v1',
      schema: volumeAttributesClassSchema,
      served: true,
      columns: [column<VolumeAttributesClass>('DriverName', ({ driverName }) => driverName), ageColumn],
    },
  ],
  validate: ({ driverName, parameters }, { old }) => [
    ...requiredText('driverName', driverName),
    ...(old === undefined
      ? []
      : [...immutable('driverName', driverName, old.driverName), ...immutable('parameters', parameters, old.parameters)]),
  ],
});
export const volumeAttributesClasses = resourceOf(volumeAttributesClassDefinition);
