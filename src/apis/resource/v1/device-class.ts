import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn } from '#apis/meta/columns.ts';
import { each, requiredText } from '#apis/meta/validation.ts';
import { deviceClassConfigurationSchema, deviceSelectorSchema, resourceGroup } from '#apis/resource/v1/device-request.ts';
import { list, object, string, type Infer } from '#apis/schema.ts';

export const deviceClassSchema = kindSchema(`${resourceGroup}.DeviceClass`, {
  spec: object(`${resourceGroup}.DeviceClassSpec`, {
    selectors: list(deviceSelectorSchema),
    config: list(deviceClassConfigurationSchema),
    extendedResourceName: string(),
  }),
});
export interface DeviceClass extends Infer<typeof deviceClassSchema> {}

export const deviceClassDefinition = defineBuiltin<DeviceClass>({
  group: 'resource.k8s.io',
  kind: 'DeviceClass',
  plural: 'deviceclasses',
  namespaced: false,
  versions: [{ name: 'v1', schema: deviceClassSchema, served: true, columns: [ageColumn] }],
  validate: ({ spec }) =>
    each(spec.selectors, 'spec.selectors', ({ cel }, field) => requiredText(`${field}.cel.expression`, cel?.expression)),
});
export const deviceClasses = resourceOf(deviceClassDefinition);
