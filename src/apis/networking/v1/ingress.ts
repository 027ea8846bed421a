import { typedLocalObjectReferenceSchema } from '#apis/core/v1/references.ts';
import { loadBalancerAddresses } from '#apis/core/v1/service-columns.ts';
import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn, column } from '#apis/meta/columns.ts';
import { classAnnotationErrors, validateIngressSpec } from '#apis/networking/v1/validate-ingress.ts';
import { enumeration, int32, list, object, required, string, type Infer } from '#apis/schema.ts';

const networking = 'io.k8s.api.networking.v1';

export const serviceBackendPortSchema = object(
  `${networking}.ServiceBackendPort`,
  {
    name: [1, string()],
    number: [2, int32()],
  },
  { 'x-kubernetes-map-type': 'atomic' },
);
export interface ServiceBackendPort extends Infer<typeof serviceBackendPortSchema> {}

export const ingressServiceBackendSchema = object(`${networking}.IngressServiceBackend`, {
  name: [1, required(string())],
  port: [2, serviceBackendPortSchema],
});
export interface IngressServiceBackend extends Infer<typeof ingressServiceBackendSchema> {}

export const ingressBackendSchema = object(`${networking}.IngressBackend`, {
  resource: [3, typedLocalObjectReferenceSchema],
  service: [4, ingressServiceBackendSchema],
});
export interface IngressBackend extends Infer<typeof ingressBackendSchema> {}

export const httpIngressPathSchema = object(`${networking}.HTTPIngressPath`, {
  path: [1, string()],
  backend: [2, required(ingressBackendSchema)],
  pathType: [3, required(enumeration(['Exact', 'ImplementationSpecific', 'Prefix']))],
});
export interface HTTPIngressPath extends Infer<typeof httpIngressPathSchema> {}

export const httpIngressRuleValueSchema = object(`${networking}.HTTPIngressRuleValue`, {
  paths: [1, required(list(httpIngressPathSchema))],
});
export interface HTTPIngressRuleValue extends Infer<typeof httpIngressRuleValueSchema> {}

export const ingressRuleSchema = object(`${networking}.IngressRule`, {
  host: [1, string()],
  http: [[2, 1], httpIngressRuleValueSchema],
});
export interface IngressRule extends Infer<typeof ingressRuleSchema> {}

export const ingressTLSSchema = object(`${networking}.IngressTLS`, {
  hosts: [1, list(string())],
  secretName: [2, string()],
});
export interface IngressTLS extends Infer<typeof ingressTLSSchema> {}

export const ingressSpecSchema = object(`${networking}.IngressSpec`, {
  defaultBackend: [1, ingressBackendSchema],
  tls: [2, list(ingressTLSSchema)],
  rules: [3, list(ingressRuleSchema)],
  ingressClassName: [4, string()],
});
export interface IngressSpec extends Infer<typeof ingressSpecSchema> {}

export const ingressPortStatusSchema = object(`${networking}.IngressPortStatus`, {
  port: [1, required(int32({ default: 0 }))],
  protocol: [2, required(string({ default: '' }))],
  error: [3, string()],
});
export interface IngressPortStatus extends Infer<typeof ingressPortStatusSchema> {}

export const ingressLoadBalancerIngressSchema = object(`${networking}.IngressLoadBalancerIngress`, {
  ip: [1, string()],
  hostname: [2, string()],
  ports: [4, list(ingressPortStatusSchema)],
});
export interface IngressLoadBalancerIngress extends Infer<typeof ingressLoadBalancerIngressSchema> {}

export const ingressLoadBalancerStatusSchema = object(`${networking}.IngressLoadBalancerStatus`, {
  ingress: [1, list(ingressLoadBalancerIngressSchema)],
});
export interface IngressLoadBalancerStatus extends Infer<typeof ingressLoadBalancerStatusSchema> {}

export const ingressStatusSchema = object(`${networking}.IngressStatus`, {
  loadBalancer: [1, ingressLoadBalancerStatusSchema],
});
export interface IngressStatus extends Infer<typeof ingressStatusSchema> {}

export const ingressSchema = kindSchema(`${networking}.Ingress`, {
  spec: [2, ingressSpecSchema],
  status: [3, ingressStatusSchema],
});
export interface Ingress extends Infer<typeof ingressSchema> {}

function hostsText({ spec }: Ingress): string {
  const hosts = (spec.rules ?? []).slice(0, 3).flatMap(({ host = '' }) => (host === '' ? [] : host));
  if (hosts.length === 0) return '*';
  const more = (spec.rules ?? []).length - 3;
  return more > 0 ? `${hosts.join(',')} + ${more} more...` : hosts.join(',');
}

export const ingressDefinition = defineBuiltin<Ingress>({
  group: 'networking.k8s.io',
  kind: 'Ingress',
  plural: 'ingresses',
  shortNames: ['ing'],
  versions: [
    {
      name: 'v1',
      schema: ingressSchema,
      served: true,
      columns: [
        column<Ingress>('Class', ({ spec }) => spec.ingressClassName ?? '<none>'),
        column('Hosts', hostsText),
        column<Ingress>('Address', ({ status }) => loadBalancerAddresses(status?.loadBalancer).join(',')),
        column<Ingress>('Ports', ({ spec }) => (spec.tls === undefined || spec.tls.length === 0 ? '80' : '80, 443')),
        ageColumn,
      ],
    },
  ],
  default(ingress) {
    ingress.status ??= { loadBalancer: {} };
  },
  validate: ({ metadata, spec }, { operation }) => [
    ...validateIngressSpec(spec),
    ...(operation === 'create' ? classAnnotationErrors(metadata.annotations, spec.ingressClassName) : []),
  ],
});
export const ingresses = resourceOf(ingressDefinition);
