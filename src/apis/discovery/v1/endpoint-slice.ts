import { objectReferenceSchema } from '#apis/core/v1/references.ts';
import { endpointAddressErrors } from '#apis/core/v1/validate-endpoint-address.ts';
import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn, column, firstThree } from '#apis/meta/columns.ts';
import { fieldDuplicate, fieldInvalid, fieldRequired, fieldTooMany } from '#apis/meta/field-error.ts';
import { checkDns1123Label, checkDns1123Subdomain, isIPv4, isIPv6 } from '#apis/meta/names.ts';
import { each, immutable, inRange, invalidFor, optionalName, type Errors } from '#apis/meta/validation.ts';
import { boolean, enumeration, int32, list, listSet, map, object, required, string, type Infer } from '#apis/schema.ts';

const discovery = 'io.k8s.api.discovery.v1';

export const endpointConditionsSchema = object(`${discovery}.EndpointConditions`, {
  ready: [1, boolean()],
  serving: [2, boolean()],
  terminating: [3, boolean()],
});
export interface EndpointConditions extends Infer<typeof endpointConditionsSchema> {}

export const forZoneSchema = object(`${discovery}.ForZone`, {
  name: [1, required(string())],
});
export interface ForZone extends Infer<typeof forZoneSchema> {}

export const forNodeSchema = object(`${discovery}.ForNode`, {
  name: [1, required(string())],
});
export interface ForNode extends Infer<typeof forNodeSchema> {}

export const endpointHintsSchema = object(`${discovery}.EndpointHints`, {
  forZones: [1, list(forZoneSchema)],
  forNodes: [2, list(forNodeSchema)],
});
export interface EndpointHints extends Infer<typeof endpointHintsSchema> {}

export const endpointSchema = object(`${discovery}.Endpoint`, {
  addresses: [1, required(listSet(string()))],
  conditions: [2, endpointConditionsSchema],
  hostname: [3, string()],
  targetRef: [4, objectReferenceSchema],
  deprecatedTopology: [5, map(string())],
  nodeName: [6, string()],
  zone: [7, string()],
  hints: [8, endpointHintsSchema],
});
export interface Endpoint extends Infer<typeof endpointSchema> {}

export const endpointPortSchema = object(
  `${discovery}.EndpointPort`,
  {
    name: [1, string({ default: '' })],
    protocol: [2, enumeration(['SCTP', 'TCP', 'UDP'], { default: 'TCP' })],
    port: [3, int32()],
    appProtocol: [4, string()],
  },
  { 'x-kubernetes-map-type': 'atomic' },
);
export interface EndpointPort extends Infer<typeof endpointPortSchema> {}

export const endpointSliceSchema = kindSchema(`${discovery}.EndpointSlice`, {
  endpoints: [2, required(list(endpointSchema, { default: [] }))],
  ports: [3, list(endpointPortSchema)],
  addressType: [4, required(enumeration(['FQDN', 'IPv4', 'IPv6']))],
});
export interface EndpointSlice extends Infer<typeof endpointSliceSchema> {}

const maxEndpoints = 1000;
const maxAddresses = 100;
const maxPorts = 20_000;

function endpointsErrors({ endpoints, addressType }: EndpointSlice): Errors {
  if (endpoints.length > maxEndpoints) return [fieldTooMany('endpoints', endpoints.length, maxEndpoints)];
  return each(endpoints, 'endpoints', ({ addresses, hostname, nodeName }, field) => [
    ...(addresses.length === 0 ? [fieldRequired(`${field}.addresses`, 'must contain at least 1 address')] : []),
    ...(addresses.length > maxAddresses ? [fieldTooMany(`${field}.addresses`, addresses.length, maxAddresses)] : []),
    ...each(addresses, `${field}.addresses`, (address, at) => addressErrors(address, addressType, at)),
    ...optionalName(`${field}.hostname`, hostname, checkDns1123Label),
    ...optionalName(`${field}.nodeName`, nodeName, checkDns1123Subdomain),
  ]);
}

function addressErrors(address: string, type: string, field: string): Errors {
  if (type === 'FQDN') return invalidFor(field, address, checkDns1123Subdomain(address));
  if (type === 'IPv4' && !isIPv4(address)) return [fieldInvalid(field, address, 'must be an IPv4 address')];
  if (type === 'IPv6' && !isIPv6(address)) return [fieldInvalid(field, address, 'must be an IPv6 address')];
  return endpointAddressErrors(field, address);
}

function portsErrors(ports: readonly EndpointPort[]): Errors {
  if (ports.length > maxPorts) return [fieldTooMany('ports', ports.length, maxPorts)];
  const names = new Set<string>();
  return each(ports, 'ports', ({ name = '', port }, field) => {
    const errors = [...optionalName(`${field}.name`, name, checkDns1123Label), ...inRange(`${field}.port`, port, 1, 65535)];
    if (names.has(name)) errors.push(fieldDuplicate(`${field}.name`, name));
    names.add(name);
    return errors;
  });
}

export const endpointSliceDefinition = defineBuiltin<EndpointSlice>({
  group: 'discovery.k8s.io',
  kind: 'EndpointSlice',
  plural: 'endpointslices',
  versions: [
    {
      name: 'v1',
      schema: endpointSliceSchema,
      served: true,
      columns: [
        column<EndpointSlice>('AddressType', ({ addressType }) => addressType),
        column<EndpointSlice>('Ports', ({ ports = [] }) =>
          firstThree(
            ports.map(({ port, name }) => String(port ?? (name || '*'))),
            '<unset>',
          ),
        ),
        column<EndpointSlice>('Endpoints', ({ endpoints }) =>
          firstThree(
            endpoints.flatMap(({ addresses }) => addresses),
            '<unset>',
          ),
        ),
        ageColumn,
      ],
    },
  ],
  validate: (slice, { old }) => [
    ...endpointsErrors(slice),
    ...portsErrors(slice.ports ?? []),
    ...(old === undefined ? [] : immutable('addressType', slice.addressType, old.addressType)),
  ],
});
export const endpointSlices = resourceOf(endpointSliceDefinition);
