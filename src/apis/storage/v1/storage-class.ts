import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn, column, nameColumn } from '#apis/meta/columns.ts';
import { jsonEqual } from '#apis/meta/equal.ts';
import { fieldForbidden } from '#apis/meta/field-error.ts';
import { checkQualifiedName } from '#apis/meta/names.ts';
import { immutable, requiredName } from '#apis/meta/validation.ts';
import { boolean, enumeration, list, map, object, required, string, type Infer } from '#apis/schema.ts';

const core = 'io.k8s.api.core.v1';
const storage = 'io.k8s.api.storage.v1';

export const topologySelectorLabelRequirementSchema = object(`${core}.TopologySelectorLabelRequirement`, {
  key: [1, required(string())],
  values: [2, required(list(string()))],
});
export interface TopologySelectorLabelRequirement extends Infer<typeof topologySelectorLabelRequirementSchema> {}

export const topologySelectorTermSchema = object(
  `${core}.TopologySelectorTerm`,
  {
    matchLabelExpressions: [1, list(topologySelectorLabelRequirementSchema)],
  },
  { 'x-kubernetes-map-type': 'atomic' },
);
export interface TopologySelectorTerm extends Infer<typeof topologySelectorTermSchema> {}

export const storageClassSchema = kindSchema(`${storage}.StorageClass`, {
  provisioner: [2, required(string())],
  parameters: [3, map(string())],
  reclaimPolicy: [4, enumeration(['Delete', 'Recycle', 'Retain'], { default: 'Delete' })],
  mountOptions: [5, list(string())],
  allowVolumeExpansion: [6, boolean()],
  volumeBindingMode: [7, enumeration(['Immediate', 'WaitForFirstConsumer'], { default: 'Immediate' })],
  allowedTopologies: [8, list(topologySelectorTermSchema)],
});
export interface StorageClass extends Infer<typeof storageClassSchema> {}

const forbidChange = (field: string, same: boolean) => (same ? [] : [fieldForbidden(field, `updates to ${field} are forbidden.`)]);

export const storageClassDefinition = defineBuiltin<StorageClass>({
  group: 'storage.k8s.io',
  kind: 'StorageClass',
  plural: 'storageclasses',
  shortNames: ['sc'],
  namespaced: false,
  versions: [
    {
      name: 'v1',
      schema: storageClassSchema,
      served: true,
      columns: [
        nameColumn<StorageClass>(({ metadata }) =>
          metadata.annotations?.['storageclass.kubernetes.io/is-default-class'] === 'true'
            ? `${metadata.name} (default)`
            : (metadata.name ?? ''),
        ),
        column<StorageClass>('Provisioner', ({ provisioner }) => provisioner),
        column<StorageClass>('ReclaimPolicy', ({ reclaimPolicy }) => reclaimPolicy ?? 'Delete'),
        column<StorageClass>('VolumeBindingMode', ({ volumeBindingMode }) => volumeBindingMode ?? 'Immediate'),
        column<StorageClass>('AllowVolumeExpansion', ({ allowVolumeExpansion }) => allowVolumeExpansion ?? false),
        ageColumn,
      ],
    },
  ],
  validate: ({ provisioner, parameters, reclaimPolicy, volumeBindingMode }, { old }) => [
    ...requiredName('provisioner', provisioner, (name) => checkQualifiedName(name.toLowerCase())),
    ...(old === undefined
      ? []
      : [
          ...forbidChange('parameters', jsonEqual(parameters ?? {}, old.parameters ?? {})),
          ...forbidChange('provisioner', provisioner === old.provisioner),
          ...forbidChange('reclaimPolicy', reclaimPolicy === old.reclaimPolicy),
          ...immutable('volumeBindingMode', volumeBindingMode, old.volumeBindingMode),
        ]),
  ],
});
export const storageClasses = resourceOf(storageClassDefinition);
