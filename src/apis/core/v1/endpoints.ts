import { objectReferenceSchema } from '#apis/core/v1/references.ts';
import { endpointAddressErrors } from '#apis/core/v1/validate-endpoint-address.ts';
import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn, column, firstThree } from '#apis/meta/columns.ts';
import { fieldRequired } from '#apis/meta/field-error.ts';
import { checkDns1123Label } from '#apis/meta/names.ts';
import { each, inRange, optionalName } from '#apis/meta/validation.ts';
import { enumeration, int32, list, object, required, string, type Infer } from '#apis/schema.ts';

const core = 'io.k8s.api.core.v1';

export const endpointAddressSchema = object(
  `${core}.EndpointAddress`,
  {
    ip: [1, required(string())],
    targetRef: [2, objectReferenceSchema],
    hostname: [3, string()],
    nodeName: [4, string()],
  },
  { 'x-kubernetes-map-type': 'atomic' },
);
export interface EndpointAddress extends Infer<typeof endpointAddressSchema> {}

export const endpointPortSchema = object(
  `${core}.EndpointPort`,
  {
    name: [1, string()],
    port: [2, required(int32())],
    protocol: [3, enumeration(['SCTP', 'TCP', 'UDP'], { default: 'TCP' })],
    appProtocol: [4, string()],
  },
  { 'x-kubernetes-map-type': 'atomic' },
);
export interface EndpointPort extends Infer<typeof endpointPortSchema> {}

export const endpointSubsetSchema = object(`${core}.EndpointSubset`, {
  addresses: [1, list(endpointAddressSchema)],
  notReadyAddresses: [2, list(endpointAddressSchema)],
  ports: [3, list(endpointPortSchema)],
});
export interface EndpointSubset extends Infer<typeof endpointSubsetSchema> {}

export const endpointsSchema = kindSchema(`${core}.Endpoints`, {
  subsets: [2, list(endpointSubsetSchema)],
});
export interface Endpoints extends Infer<typeof endpointsSchema> {}

/** Up to three `ip:port` pairs of ready addresses; the address alone where a subset has no ports. */
function formatEndpoints({ subsets = [] }: Endpoints): string {
  const pairs = subsets.flatMap(({ addresses = [], ports = [] }) => {
    if (ports.length === 0) return addresses.map(({ ip }) => ip);
    return ports.flatMap(({ port }) => addresses.map(({ ip }) => (ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`)));
  });
  return firstThree(pairs, '<none>');
}

export const endpointsDefinition = defineBuiltin<Endpoints>({
  group: '',
  kind: 'Endpoints',
  plural: 'endpoints',
  shortNames: ['ep'],
  versions: [
    {
      name: 'v1',
      schema: endpointsSchema,
      served: true,
      deprecationWarning: 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice',
      columns: [column('Endpoints', formatEndpoints), ageColumn],
    },
  ],
  validate: ({ subsets }) =>
    each(subsets, 'subsets', ({ addresses = [], notReadyAddresses = [], ports = [] }, field) => [
      ...(addresses.length + notReadyAddresses.length === 0
        ? [fieldRequired(field, 'must specify `addresses` or `notReadyAddresses`')]
        : []),
      ...each(addresses, `${field}.addresses`, ({ ip }, at) => endpointAddressErrors(`${at}.ip`, ip)),
      ...each(notReadyAddresses, `${field}.notReadyAddresses`, ({ ip }, at) => endpointAddressErrors(`${at}.ip`, ip)),
      ...each(ports, `${field}.ports`, ({ name = '', port }, at) => [
        ...(name === '' && ports.length > 1 ? [fieldRequired(`${at}.name`)] : optionalName(`${at}.name`, name, checkDns1123Label)),
        ...inRange(`${at}.port`, port, 1, 65535),
      ]),
    ]),
});
export const endpoints = resourceOf(endpointsDefinition);
