import { int32, list, object, required, string, type Infer } from '#apis/schema.ts';

const core = 'io.k8s.api.core.v1';

export const portStatusSchema = object(`${core}.PortStatus`, {
  port: [1, required(int32({ default: 0 }))],
  protocol: [2, required(string({ default: '' }))],
  error: [3, string()],
});
export interface PortStatus extends Infer<typeof portStatusSchema> {}

export const loadBalancerIngressSchema = object(`${core}.LoadBalancerIngress`, {
  ip: [1, string()],
  hostname: [2, string()],
  ipMode: [3, string()],
  ports: [4, list(portStatusSchema)],
});
export interface LoadBalancerIngress extends Infer<typeof loadBalancerIngressSchema> {}

export const loadBalancerStatusSchema = object(`${core}.LoadBalancerStatus`, {
  ingress: [1, list(loadBalancerIngressSchema)],
});
export interface LoadBalancerStatus extends Infer<typeof loadBalancerStatusSchema> {}
