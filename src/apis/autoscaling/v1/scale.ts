import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { nonNegative } from '#apis/meta/validation.ts';
import { int32, object, required, string, type Infer } from '#apis/schema.ts';

const autoscaling = 'io.k8s.api.autoscaling.v1';

export const scaleSpecSchema = object(`${autoscaling}.ScaleSpec`, {
  replicas: [1, int32()],
});
export interface ScaleSpec extends Infer<typeof scaleSpecSchema> {}

export const scaleStatusSchema = object(`${autoscaling}.ScaleStatus`, {
  replicas: [1, required(int32({ default: 0 }))],
  selector: [2, string()],
});
export interface ScaleStatus extends Infer<typeof scaleStatusSchema> {}

export const scaleSchema = kindSchema(`${autoscaling}.Scale`, {
  spec: [2, scaleSpecSchema],
  status: [3, scaleStatusSchema],
});
export interface Scale extends Infer<typeof scaleSchema> {}

export const scaleDefinition = defineBuiltin<Scale>({
  group: 'autoscaling',
  kind: 'Scale',
  plural: 'scales',
  verbs: ['get', 'update', 'patch'],
  hasGeneration: false,
  hasStatus: false,
  versions: [{ name: 'v1', schema: scaleSchema, served: true }],
  validate: ({ spec }) => nonNegative('spec.replicas', spec.replicas),
});
export const scales = resourceOf(scaleDefinition);
