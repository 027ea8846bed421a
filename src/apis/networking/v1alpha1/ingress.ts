import { defineKind, resourceOf } from '#apis/definition.ts';
import { readyColumns, statusProperties, type KnativeStatus } from '#apis/knative/status.ts';
import { objectMetaSchema, type KubeObject } from '#apis/meta/object.ts';
import { setIngressDefaults, validateIngress } from '#apis/networking/v1alpha1/validation.ts';
import { boolean, enumeration, int32, intOrString, list, map, object, required, string, type Infer } from '#apis/schema.ts';

export const networkingGroup = 'networking.internal.knative.dev';

const splitSchema = object(null, {
  serviceNamespace: required(string()),
  serviceName: required(string()),
  servicePort: required(intOrString()),
  percent: int32(),
  appendHeaders: map(string()),
});
const pathSchema = object(null, {
  path: string(),
  rewriteHost: string(),
  headers: map(object(null, { exact: required(string()) })),
  splits: required(list(splitSchema)),
  appendHeaders: map(string()),
});
const ruleSchema = object(null, {
  hosts: list(string()),
  visibility: enumeration(['ExternalIP', 'ClusterLocal', '']),
  http: object(null, { paths: required(list(pathSchema)) }),
});
const loadBalancerSchema = object(null, {
  ingress: list(object(null, { ip: string(), domain: string(), domainInternal: string(), meshOnly: boolean() })),
});

export const ingressSchema = object('dev.knative.networking.v1alpha1.Ingress', {
  apiVersion: string(),
  kind: string(),
  metadata: objectMetaSchema,
  spec: object(null, {
    httpOption: enumeration(['Enabled', 'Redirected', '']),
    tls: list(object(null, { hosts: list(string()), secretName: string(), secretNamespace: string() })),
    rules: list(ruleSchema),
  }),
  status: object(null, { ...statusProperties, publicLoadBalancer: loadBalancerSchema, privateLoadBalancer: loadBalancerSchema }),
});

export type IngressSplit = Infer<typeof splitSchema>;
export type IngressPath = Infer<typeof pathSchema>;
export type IngressRule = Infer<typeof ruleSchema>;
export interface IngressSpec {
  httpOption?: 'Enabled' | 'Redirected' | '';
  tls?: { hosts?: string[]; secretName?: string; secretNamespace?: string }[];
  rules?: IngressRule[];
}
export interface LoadBalancerStatus {
  ingress?: { ip?: string; domain?: string; domainInternal?: string; meshOnly?: boolean }[];
}
/** Knative's internal Ingress: what a Route asks of the gateway. */
export interface Ingress extends KubeObject {
  spec?: IngressSpec;
  status?: KnativeStatus & { publicLoadBalancer?: LoadBalancerStatus; privateLoadBalancer?: LoadBalancerStatus };
}

export const ingressDefinition = defineKind<Ingress>({
  group: networkingGroup,
  kind: 'Ingress',
  plural: 'ingresses',
  shortNames: ['kingress', 'king'],
  categories: ['knative-internal', 'networking'],
  versions: [{ name: 'v1alpha1', schema: ingressSchema, served: true, columns: readyColumns }],
  default: setIngressDefaults,
  validate: validateIngress,
});
export const ingresses = resourceOf(ingressDefinition);
