import { enumeration, int32, int64, intOrString, list, object, required, string, type Infer } from '#apis/schema.ts';

const core = 'io.k8s.api.core.v1';

export const execActionSchema = object(`${core}.ExecAction`, {
  command: [1, list(string())],
});
export interface ExecAction extends Infer<typeof execActionSchema> {}

export const httpHeaderSchema = object(`${core}.HTTPHeader`, {
  name: [1, required(string())],
  value: [2, required(string({ default: '' }))],
});
export interface HTTPHeader extends Infer<typeof httpHeaderSchema> {}

export const httpGetActionSchema = object(`${core}.HTTPGetAction`, {
  path: [1, string({ default: '/' })],
  port: [2, required(intOrString())],
  host: [3, string()],
  scheme: [4, enumeration(['HTTP', 'HTTPS'], { default: 'HTTP' })],
  httpHeaders: [5, list(httpHeaderSchema)],
});
export interface HTTPGetAction extends Infer<typeof httpGetActionSchema> {}

export const tcpSocketActionSchema = object(`${core}.TCPSocketAction`, {
  port: [1, required(intOrString())],
  host: [2, string()],
});
export interface TCPSocketAction extends Infer<typeof tcpSocketActionSchema> {}

export const grpcActionSchema = object(`${core}.GRPCAction`, {
  port: [1, required(int32())],
  service: [2, string({ default: '' })],
});
export interface GRPCAction extends Infer<typeof grpcActionSchema> {}

export const sleepActionSchema = object(`${core}.SleepAction`, {
  seconds: [1, required(int64())],
});
export interface SleepAction extends Infer<typeof sleepActionSchema> {}

export const lifecycleHandlerSchema = object(`${core}.LifecycleHandler`, {
  exec: [1, execActionSchema],
  httpGet: [2, httpGetActionSchema],
  tcpSocket: [3, tcpSocketActionSchema],
  sleep: [4, sleepActionSchema],
});
export interface LifecycleHandler extends Infer<typeof lifecycleHandlerSchema> {}

export const lifecycleSchema = object(`${core}.Lifecycle`, {
  postStart: [1, lifecycleHandlerSchema],
  preStop: [2, lifecycleHandlerSchema],
  stopSignal: [3, string()],
});
export interface Lifecycle extends Infer<typeof lifecycleSchema> {}

export const probeSchema = object(`${core}.Probe`, {
  exec: [[1, 1], execActionSchema],
  grpc: [[1, 4], grpcActionSchema],
  httpGet: [[1, 2], httpGetActionSchema],
  tcpSocket: [[1, 3], tcpSocketActionSchema],
  initialDelaySeconds: [2, int32()],
  timeoutSeconds: [3, int32({ default: 1 })],
  periodSeconds: [4, int32({ default: 10 })],
  successThreshold: [5, int32({ default: 1 })],
  failureThreshold: [6, int32({ default: 3 })],
  terminationGracePeriodSeconds: [7, int64()],
});
export interface Probe extends Infer<typeof probeSchema> {}
