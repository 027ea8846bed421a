import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { column } from '#apis/meta/columns.ts';
import { labelSelectorSchema } from '#apis/meta/object.ts';
import { immutable, requiredText } from '#apis/meta/validation.ts';
import { quantity, required, string, type Infer } from '#apis/schema.ts';

const storage = 'io.k8s.api.storage.v1';

export const csiStorageCapacitySchema = kindSchema(`${storage}.CSIStorageCapacity`, {
  nodeTopology: [2, labelSelectorSchema],
  storageClassName: [3, required(string())],
  capacity: [4, quantity()],
  maximumVolumeSize: [5, quantity()],
});
export interface CSIStorageCapacity extends Infer<typeof csiStorageCapacitySchema> {}

export const csiStorageCapacityDefinition = defineBuiltin<CSIStorageCapacity>({
  group: 'storage.k8s.io',
  kind: 'CSIStorageCapacity',
  plural: 'csistoragecapacities',
  versions: [
    {
      name: 'v1',
      schema: csiStorageCapacitySchema,
      served: true,
      columns: [
        column<CSIStorageCapacity>('StorageClassName', ({ storageClassName }) => storageClassName),
        column<CSIStorageCapacity>('Capacity', ({ capacity }) => (capacity === undefined ? '<unset>' : String(capacity))),
      ],
    },
  ],
  validate: ({ storageClassName }, { old }) => [
    ...requiredText('storageClassName', storageClassName),
    ...(old === undefined ? [] : immutable('storageClassName', storageClassName, old.storageClassName)),
  ],
});
export const csiStorageCapacities = resourceOf(csiStorageCapacityDefinition);
