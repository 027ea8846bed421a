import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn, column } from '#apis/meta/columns.ts';
import { object, required, string, type Infer } from '#apis/schema.ts';

const networking = 'io.k8s.api.networking.v1';

export const parentReferenceSchema = object(`${networking}.ParentReference`, {
  group: [1, string()],
  resource: [2, required(string({ default: '' }))],
  namespace: [3, string()],
  name: [4, required(string())],
});
export interface ParentReference extends Infer<typeof parentReferenceSchema> {}

export const ipAddressSpecSchema = object(`${networking}.IPAddressSpec`, {
  parentRef: [1, required(parentReferenceSchema)],
});
export interface IPAddressSpec extends Infer<typeof ipAddressSpecSchema> {}

export const ipAddressSchema = kindSchema(`${networking}.IPAddress`, {
  spec: [2, ipAddressSpecSchema],
});
export interface IPAddress extends Infer<typeof ipAddressSchema> {}

/** `services/default/kubernetes` */
function parentText({ spec: { parentRef } }: IPAddress): string {
  const { group = '', resource, namespace = '', name } = parentRef;
  const qualified = group === '' ? resource : `${resource}.${group}`;
  return namespace === '' ? `${qualified}/${name}` : `${qualified}/${namespace}/${name}`;
}

export const ipAddressDefinition = defineBuiltin<IPAddress>({
  group: 'networking.k8s.io',
  kind: 'IPAddress',
  plural: 'ipaddresses',
  shortNames: ['ip'],
  namespaced: false,
  hasGeneration: false,
  versions: [{ name: 'v1', schema: ipAddressSchema, served: true, columns: [column('ParentRef', parentText), ageColumn] }],
});
export const ipAddresses = resourceOf(ipAddressDefinition);
