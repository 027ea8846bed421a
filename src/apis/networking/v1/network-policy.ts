import { ageColumn, column, formatLabelSelector } from '#apis/meta/columns.ts';
import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { labelSelectorSchema } from '#apis/meta/object.ts';
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
});
export const networkPolicies = resourceOf(networkPolicyDefinition);
