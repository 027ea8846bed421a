import { nodeSelectorSchema } from '#apis/core/v1/scheduling.ts';
import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn, column } from '#apis/meta/columns.ts';
import { immutable, requiredText } from '#apis/meta/validation.ts';
import { resourceGroup } from '#apis/resource/v1/device-request.ts';
import { boolean, int64, list, map, object, quantity, required, string, time, type Infer } from '#apis/schema.ts';

const attributeSchema = object(`${resourceGroup}.DeviceAttribute`, {
  int: int64(),
  bool: boolean(),
  string: string(),
  version: string(),
});
const countersSchema = map(object(`${resourceGroup}.Counter`, { value: required(quantity()) }));
const taintSchema = object(`${resourceGroup}.DeviceTaint`, {
  key: required(string()),
  value: string(),
  effect: required(string()),
  timeAdded: time(),
});
const capacitySchema = object(`${resourceGroup}.DeviceCapacity`, {
  value: required(quantity()),
  requestPolicy: object(`${resourceGroup}.CapacityRequestPolicy`, {
    default: quantity(),
    validValues: list(quantity()),
    validRange: object(`${resourceGroup}.CapacityRequestPolicyRange`, { min: quantity(), max: quantity(), step: quantity() }),
  }),
});
const deviceSchema = object(`${resourceGroup}.Device`, {
  name: required(string()),
  attributes: map(attributeSchema),
  capacity: map(capacitySchema),
  consumesCounters: list(
    object(`${resourceGroup}.DeviceCounterConsumption`, { counterSet: required(string()), counters: required(countersSchema) }),
  ),
  nodeName: string(),
  nodeSelector: nodeSelectorSchema,
  allNodes: boolean(),
  taints: list(taintSchema),
  bindsToNode: boolean(),
  bindingConditions: list(string()),
  bindingFailureConditions: list(string()),
  allowMultipleAllocations: boolean(),
});

export const resourceSliceSpecSchema = object(`${resourceGroup}.ResourceSliceSpec`, {
  driver: required(string()),
  pool: required(
    object(`${resourceGroup}.ResourcePool`, {
      name: required(string()),
      generation: required(int64({ default: 0 })),
      resourceSliceCount: required(int64()),
    }),
  ),
  nodeName: string(),
  nodeSelector: nodeSelectorSchema,
  allNodes: boolean(),
  devices: list(deviceSchema),
  perDeviceNodeSelection: boolean(),
  sharedCounters: list(object(`${resourceGroup}.CounterSet`, { name: required(string()), counters: required(countersSchema) })),
});

export const resourceSliceSchema = kindSchema(`${resourceGroup}.ResourceSlice`, { spec: resourceSliceSpecSchema });
export interface ResourceSlice extends Infer<typeof resourceSliceSchema> {}

export const resourceSliceDefinition = defineBuiltin<ResourceSlice>({
  group: 'resource.k8s.io',
  kind: 'ResourceSlice',
  plural: 'resourceslices',
  namespaced: false,
  versions: [
    {
      name: 'v1',
      schema: resourceSliceSchema,
      served: true,
      columns: [
        column<ResourceSlice>('Node', ({ spec }) => spec.nodeName ?? '<unset>'),
        column<ResourceSlice>('Driver', ({ spec }) => spec.driver),
        column<ResourceSlice>('Pool', ({ spec }) => spec.pool.name),
        ageColumn,
      ],
    },
  ],
  selectableFields: ({ spec }) => ({ 'spec.nodeName': spec.nodeName ?? '', 'spec.driver': spec.driver }),
  validate: ({ spec }, { old }) => [
    ...requiredText('spec.driver', spec.driver),
    ...requiredText('spec.pool.name', spec.pool.name),
    ...(old === undefined
      ? []
      : [
          ...immutable('spec.driver', spec.driver, old.spec.driver),
          ...immutable('spec.pool.name', spec.pool.name, old.spec.pool.name),
          ...immutable('spec.nodeName', spec.nodeName, old.spec.nodeName),
        ]),
  ],
});
export const resourceSlices = resourceOf(resourceSliceDefinition);
