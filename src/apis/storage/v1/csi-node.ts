import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn, column } from '#apis/meta/columns.ts';
import { each, requiredText } from '#apis/meta/validation.ts';
import { int32, list, listMap, object, required, string, type Infer } from '#apis/schema.ts';

const storage = 'io.k8s.api.storage.v1';

export const volumeNodeResourcesSchema = object(`${storage}.VolumeNodeResources`, {
  count: [1, int32()],
});
export interface VolumeNodeResources extends Infer<typeof volumeNodeResourcesSchema> {}

export const csiNodeDriverSchema = object(`${storage}.CSINodeDriver`, {
  name: [1, required(string())],
  nodeID: [2, required(string())],
  topologyKeys: [3, list(string())],
  allocatable: [4, volumeNodeResourcesSchema],
});
export interface CSINodeDriver extends Infer<typeof csiNodeDriverSchema> {}

export const csiNodeSpecSchema = object(`${storage}.CSINodeSpec`, {
  drivers: [1, listMap(csiNodeDriverSchema, ['name'])],
});
export interface CSINodeSpec extends Infer<typeof csiNodeSpecSchema> {}

export const csiNodeSchema = kindSchema(`${storage}.CSINode`, {
  spec: [2, csiNodeSpecSchema],
});
export interface CSINode extends Infer<typeof csiNodeSchema> {}

export const csiNodeDefinition = defineBuiltin<CSINode>({
  group: 'storage.k8s.io',
  kind: 'CSINode',
  plural: 'csinodes',
  namespaced: false,
  hasGeneration: false,
  versions: [
    {
      name: 'v1',
      schema: csiNodeSchema,
      served: true,
      columns: [column<CSINode>('Drivers', ({ spec }) => spec.drivers?.length ?? 0, 'integer'), ageColumn],
    },
  ],
  validate: ({ spec }) =>
    each(spec.drivers, 'spec.drivers', ({ name, nodeID }, field) => [
      ...requiredText(`${field}.name`, name),
      ...requiredText(`${field}.nodeID`, nodeID),
    ]),
});
export const csiNodes = resourceOf(csiNodeDefinition);
