import { persistentVolumeSpecSchema } from '#apis/core/v1/persistent-volume.ts';
import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn, column } from '#apis/meta/columns.ts';
import { immutable, requiredText } from '#apis/meta/validation.ts';
import { boolean, int32, map, object, required, string, time, type Infer } from '#apis/schema.ts';

const storage = 'io.k8s.api.storage.v1';

export const volumeAttachmentSourceSchema = object(`${storage}.VolumeAttachmentSource`, {
  persistentVolumeName: [1, string()],
  inlineVolumeSpec: [2, persistentVolumeSpecSchema],
});
export interface VolumeAttachmentSource extends Infer<typeof volumeAttachmentSourceSchema> {}

export const volumeAttachmentSpecSchema = object(`${storage}.VolumeAttachmentSpec`, {
  attacher: [1, required(string())],
  source: [2, required(volumeAttachmentSourceSchema)],
  nodeName: [3, required(string())],
});
export interface VolumeAttachmentSpec extends Infer<typeof volumeAttachmentSpecSchema> {}

export const volumeErrorSchema = object(`${storage}.VolumeError`, {
  time: [1, time()],
  message: [2, string()],
  errorCode: [3, int32()],
});
export interface VolumeError extends Infer<typeof volumeErrorSchema> {}

export const volumeAttachmentStatusSchema = object(`${storage}.VolumeAttachmentStatus`, {
  attached: [1, required(boolean({ default: false }))],
  attachmentMetadata: [2, map(string())],
  attachError: [3, volumeErrorSchema],
  detachError: [4, volumeErrorSchema],
});
export interface VolumeAttachmentStatus extends Infer<typeof volumeAttachmentStatusSchema> {}

export const volumeAttachmentSchema = kindSchema(`${storage}.VolumeAttachment`, {
  spec: [2, volumeAttachmentSpecSchema],
  status: [3, volumeAttachmentStatusSchema],
});
export interface VolumeAttachment extends Infer<typeof volumeAttachmentSchema> {}

export const volumeAttachmentDefinition = defineBuiltin<VolumeAttachment>({
  group: 'storage.k8s.io',
  kind: 'VolumeAttachment',
  plural: 'volumeattachments',
  namespaced: false,
  hasGeneration: false,
  versions: [
    {
      name: 'v1',
      schema: volumeAttachmentSchema,
      served: true,
      columns: [
        column<VolumeAttachment>('Attacher', ({ spec }) => spec.attacher),
        column<VolumeAttachment>('PV', ({ spec }) => spec.source.persistentVolumeName ?? ''),
        column<VolumeAttachment>('Node', ({ spec }) => spec.nodeName),
        column<VolumeAttachment>('Attached', ({ status }) => status?.attached ?? false, 'boolean'),
        ageColumn,
      ],
    },
  ],
  validate: ({ spec }, { old }) => [
    ...requiredText('spec.attacher', spec.attacher),
    ...requiredText('spec.nodeName', spec.nodeName),
    ...(old === undefined ? [] : immutable('spec', spec, old.spec)),
  ],
});
export const volumeAttachments = resourceOf(volumeAttachmentDefinition);
