import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn, column } from '#apis/meta/columns.ts';
import { boolean, enumeration, int64, list, listSet, object, required, string, type Infer } from '#apis/schema.ts';

const storage = 'io.k8s.api.storage.v1';

export const tokenRequestSchema = object(`${storage}.TokenRequest`, {
  audience: [1, required(string())],
  expirationSeconds: [2, int64()],
});
export interface TokenRequest extends Infer<typeof tokenRequestSchema> {}

export const csiDriverSpecSchema = object(`${storage}.CSIDriverSpec`, {
  attachRequired: [1, boolean({ default: true })],
  podInfoOnMount: [2, boolean({ default: false })],
  volumeLifecycleModes: [3, listSet(string(), { default: ['Persistent'] })],
  storageCapacity: [4, boolean({ default: false })],
  fsGroupPolicy: [5, enumeration(['File', 'None', 'ReadWriteOnceWithFSType'], { default: 'ReadWriteOnceWithFSType' })],
  tokenRequests: [6, list(tokenRequestSchema)],
  requiresRepublish: [7, boolean({ default: false })],
  seLinuxMount: [8, boolean({ default: false })],
  nodeAllocatableUpdatePeriodSeconds: [9, int64()],
  serviceAccountTokenInSecrets: [10, boolean()],
  preventPodSchedulingIfMissing: [11, boolean()],
});
export interface CSIDriverSpec extends Infer<typeof csiDriverSpecSchema> {}

export const csiDriverSchema = kindSchema(`${storage}.CSIDriver`, {
  spec: [2, csiDriverSpecSchema],
});
export interface CSIDriver extends Infer<typeof csiDriverSchema> {}

export const csiDriverDefinition = defineBuiltin<CSIDriver>({
  group: 'storage.k8s.io',
  kind: 'CSIDriver',
  plural: 'csidrivers',
  namespaced: false,
  hasGeneration: false,
  versions: [
    {
      name: 'v1',
      schema: csiDriverSchema,
      served: true,
      columns: [
        column<CSIDriver>('AttachRequired', ({ spec }) => spec.attachRequired ?? true, 'boolean'),
        column<CSIDriver>('PodInfoOnMount', ({ spec }) => spec.podInfoOnMount ?? false, 'boolean'),
        column<CSIDriver>('StorageCapacity', ({ spec }) => spec.storageCapacity ?? false, 'boolean'),
        column<CSIDriver>('TokenRequests', ({ spec }) => (spec.tokenRequests ?? []).map(({ audience }) => audience).join(',') || '<unset>'),
        column<CSIDriver>('RequiresRepublish', ({ spec }) => spec.requiresRepublish ?? false, 'boolean'),
        column<CSIDriver>('Modes', ({ spec }) => (spec.volumeLifecycleModes ?? []).join(',') || '<none>'),
        ageColumn,
      ],
    },
  ],
});
export const csiDrivers = resourceOf(csiDriverDefinition);
