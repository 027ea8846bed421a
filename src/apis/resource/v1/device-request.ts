import { conditionSchema } from '#apis/meta/object.ts';
import { anything, boolean, enumeration, int64, list, listMap, listSet, map, object, quantity, required, string } from '#apis/schema.ts';

/** Pieces of dynamic resource allocation (KEP-4381) that its kinds share. */
export const resourceGroup = 'io.k8s.api.resource.v1';

export const deviceSelectorSchema = object(`${resourceGroup}.DeviceSelector`, {
  cel: object(`${resourceGroup}.CELDeviceSelector`, { expression: required(string()) }),
});

const opaqueSchema = object(`${resourceGroup}.OpaqueDeviceConfiguration`, {
  driver: required(string()),
  parameters: required(anything<Record<string, unknown>>({ type: 'object' })),
});
export const deviceClassConfigurationSchema = object(`${resourceGroup}.DeviceClassConfiguration`, { opaque: opaqueSchema });

const tolerationSchema = object(`${resourceGroup}.DeviceToleration`, {
  key: string(),
  operator: string({ default: 'Equal' }),
  value: string(),
  effect: string(),
  tolerationSeconds: int64(),
});
const requestFields = {
  deviceClassName: required(string()),
  selectors: list(deviceSelectorSchema),
  allocationMode: enumeration(['All', 'ExactCount'], { default: 'ExactCount' }),
  count: int64(),
  tolerations: list(tolerationSchema),
  capacity: object(`${resourceGroup}.CapacityRequirements`, { requests: map(quantity()) }),
} as const;

export const deviceClaimSchema = object(`${resourceGroup}.DeviceClaim`, {
  requests: list(
    object(`${resourceGroup}.DeviceRequest`, {
      name: required(string()),
      exactly: object(`${resourceGroup}.ExactDeviceRequest`, { ...requestFields, adminAccess: boolean() }),
      firstAvailable: list(object(`${resourceGroup}.DeviceSubRequest`, { name: required(string()), ...requestFields })),
    }),
  ),
  constraints: list(
    object(`${resourceGroup}.DeviceConstraint`, { requests: list(string()), matchAttribute: string(), distinctAttribute: string() }),
  ),
  config: list(object(`${resourceGroup}.DeviceClaimConfiguration`, { requests: list(string()), opaque: opaqueSchema })),
});

export const resourceClaimSpecSchema = object(`${resourceGroup}.ResourceClaimSpec`, {
  devices: { ...deviceClaimSchema, default: {} },
});

const allocationSchema = object(`${resourceGroup}.AllocationResult`, {
  devices: object(`${resourceGroup}.DeviceAllocationResult`, {
    results: list(
      object(`${resourceGroup}.DeviceRequestAllocationResult`, {
        request: required(string()),
        driver: required(string()),
        pool: required(string()),
        device: required(string()),
        adminAccess: boolean(),
        tolerations: list(tolerationSchema),
        bindingConditions: list(string()),
        bindingFailureConditions: list(string()),
        shareID: string(),
        consumedCapacity: map(quantity()),
      }),
    ),
    config: list(
      object(`${resourceGroup}.DeviceAllocationConfiguration`, {
        source: required(string()),
        requests: list(string()),
        opaque: opaqueSchema,
      }),
    ),
  }),
  nodeSelector: anything<Record<string, unknown>>({ type: 'object' }),
  allocationTimestamp: string({ format: 'date-time' }),
});

export const resourceClaimStatusSchema = object(`${resourceGroup}.ResourceClaimStatus`, {
  allocation: allocationSchema,
  reservedFor: listMap(
    object(`${resourceGroup}.ResourceClaimConsumerReference`, {
      apiGroup: string(),
      resource: required(string()),
      name: required(string()),
      uid: required(string()),
    }),
    ['uid'],
  ),
  devices: listMap(
    object(`${resourceGroup}.AllocatedDeviceStatus`, {
      driver: required(string()),
      pool: required(string()),
      device: required(string()),
      shareID: string(),
      conditions: listMap(conditionSchema, ['type']),
      data: anything<Record<string, unknown>>({ type: 'object' }),
      networkData: object(`${resourceGroup}.NetworkDeviceData`, {
        interfaceName: string(),
        ips: listSet(string()),
        hardwareAddress: string(),
      }),
    }),
    ['driver', 'device', 'pool', 'shareID'],
  ),
});
