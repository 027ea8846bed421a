import { portErrors } from '#apis/core/v1/validate-probe.ts';
import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn, column, formatLabelSelector } from '#apis/meta/columns.ts';
import { fieldForbidden, fieldInvalid, fieldNotSupported, fieldRequired, type FieldError } from '#apis/meta/field-error.ts';
import { checkCIDR } from '#apis/meta/names.ts';
import { labelSelectorSchema } from '#apis/meta/object.ts';
import { each, invalidFor, labelSelectorErrors } from '#apis/meta/validation.ts';
import { enumeration, int32, intOrString, list, object, required, string, type Infer } from '#apis/schema.ts';

const networking = 'io.k8s.api.networking.v1';

export const ipBlockSchema = object(`${networking}.IPBlock`, {
  cidr: [1, required(string())],
  except: [2, list(string())],
});
export interface IPBlock extends Infer<typeof ipBlockSchema> {}

export const networkPolicyPeerSchema = object(`${networking}.NetworkPolicyPeer`, {
  podSelector: [1, labelSelectorSchema],
  namespaceSelector: [2, labelSelectorSchema],
  ipBlock: [3, ipBlockSchema],
});
export interface NetworkPolicyPeer extends Infer<typeof networkPolicyPeerSchema> {}

export const networkPolicyPortSchema = object(`${networking}.NetworkPolicyPort`, {
  protocol: [1, enumeration(['SCTP', 'TCP', 'UDP'], { default: 'TCP' })],
  port: [2, intOrString()],
  endPort: [3, int32()],
});
export interface NetworkPolicyPort extends Infer<typeof networkPolicyPortSchema> {}

export const networkPolicyIngressRuleSchema = object(`${networking}.NetworkPolicyIngressRule`, {
  ports: [1, list(networkPolicyPortSchema)],
  from: [2, list(networkPolicyPeerSchema)],
});
export interface NetworkPolicyIngressRule extends Infer<typeof networkPolicyIngressRuleSchema> {}

export const networkPolicyEgressRuleSchema = object(`${networking}.NetworkPolicyEgressRule`, {
  ports: [1, list(networkPolicyPortSchema)],
  to: [2, list(networkPolicyPeerSchema)],
});
export interface NetworkPolicyEgressRule extends Infer<typeof networkPolicyEgressRuleSchema> {}

export const networkPolicySpecSchema = object(`${networking}.NetworkPolicySpec`, {
  podSelector: [1, { ...labelSelectorSchema, default: {} }],
  ingress: [2, list(networkPolicyIngressRuleSchema)],
  egress: [3, list(networkPolicyEgressRuleSchema)],
  policyTypes: [4, list(string())],
});
export interface NetworkPolicySpec extends Infer<typeof networkPolicySpecSchema> {}

export const networkPolicySchema = kindSchema(`${networking}.NetworkPolicy`, {
  spec: [2, networkPolicySpecSchema],
});
export interface NetworkPolicy extends Infer<typeof networkPolicySchema> {}

function policyPortErrors({ port, endPort }: NetworkPolicyPort, at: string): readonly FieldError[] {
  const errors: FieldError[] = port === undefined ? [] : [...portErrors(`${at}.port`, port)];
  if (endPort === undefined) return errors;
  if (typeof port !== 'number') return [...errors, fieldRequired(`${at}.port`, 'must be specified as a number when `endPort` is set')];
  if (endPort < port) errors.push(fieldInvalid(`${at}.endPort`, endPort, 'must be greater than or equal to `port`'));
  return errors;
}

function peerErrors({ podSelector, namespaceSelector, ipBlock }: NetworkPolicyPeer, at: string): readonly FieldError[] {
  const selectors = podSelector !== undefined || namespaceSelector !== undefined;
  if (!selectors && ipBlock === undefined) return [fieldRequired(at, 'must specify a peer')];
  if (ipBlock === undefined) {
    return [...labelSelectorErrors(`${at}.podSelector`, podSelector), ...labelSelectorErrors(`${at}.namespaceSelector`, namespaceSelector)];
  }
  if (selectors) return [fieldForbidden(at, 'may not specify both ipBlock and another peer')];
  return [
    ...invalidFor(`${at}.ipBlock.cidr`, ipBlock.cidr, checkCIDR(ipBlock.cidr)),
    ...each(ipBlock.except, `${at}.ipBlock.except`, (cidr, field) => invalidFor(field, cidr, checkCIDR(cidr))),
  ];
}

export const networkPolicyDefinition = defineBuiltin<NetworkPolicy>({
  group: 'networking.k8s.io',
  kind: 'NetworkPolicy',
  plural: 'networkpolicies',
  shortNames: ['netpol'],
  versions: [
    {
      name: 'v1',
      schema: networkPolicySchema,
      served: true,
      columns: [column<NetworkPolicy>('Pod-Selector', ({ spec }) => formatLabelSelector(spec.podSelector)), ageColumn],
    },
  ],
  default({ spec }) {
    if ((spec.policyTypes ?? []).length === 0) spec.policyTypes = spec.egress === undefined ? ['Ingress'] : ['Ingress', 'Egress'];
  },
  validate: ({ spec }) => [
    ...labelSelectorErrors('spec.podSelector', spec.podSelector),
    ...each(spec.ingress, 'spec.ingress', ({ ports, from }, field) => [
      ...each(ports, `${field}.ports`, policyPortErrors),
      ...each(from, `${field}.from`, peerErrors),
    ]),
    ...each(spec.egress, 'spec.egress', ({ ports, to }, field) => [
      ...each(ports, `${field}.ports`, policyPortErrors),
      ...each(to, `${field}.to`, peerErrors),
    ]),
    ...each(spec.policyTypes, 'spec.policyTypes', (type, field) =>
      type === 'Ingress' || type === 'Egress' ? [] : [fieldNotSupported(field, type, ['Egress', 'Ingress'])],
    ),
  ],
});
export const networkPolicies = resourceOf(networkPolicyDefinition);
