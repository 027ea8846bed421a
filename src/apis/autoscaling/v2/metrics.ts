import { labelSelectorSchema } from '#apis/meta/object.ts';
import { enumeration, int32, object, quantity, required, string, type Infer } from '#apis/schema.ts';

const autoscaling = 'io.k8s.api.autoscaling.v2';

export const crossVersionObjectReferenceSchema = object(`${autoscaling}.CrossVersionObjectReference`, {
  kind: [1, required(string())],
  name: [2, required(string())],
  apiVersion: [3, string()],
});
export interface CrossVersionObjectReference extends Infer<typeof crossVersionObjectReferenceSchema> {}

export const metricIdentifierSchema = object(`${autoscaling}.MetricIdentifier`, {
  name: [1, required(string())],
  selector: [2, labelSelectorSchema],
});
export interface MetricIdentifier extends Infer<typeof metricIdentifierSchema> {}

export const metricTargetSchema = object(`${autoscaling}.MetricTarget`, {
  type: [1, required(enumeration(['AverageValue', 'Utilization', 'Value']))],
  value: [2, quantity()],
  averageValue: [3, quantity()],
  averageUtilization: [4, int32()],
});
export interface MetricTarget extends Infer<typeof metricTargetSchema> {}

export const metricValueStatusSchema = object(`${autoscaling}.MetricValueStatus`, {
  value: [1, quantity()],
  averageValue: [2, quantity()],
  averageUtilization: [3, int32()],
});
export interface MetricValueStatus extends Infer<typeof metricValueStatusSchema> {}

export const objectMetricSourceSchema = object(`${autoscaling}.ObjectMetricSource`, {
  describedObject: [1, required(crossVersionObjectReferenceSchema)],
  target: [2, required(metricTargetSchema)],
  metric: [3, required(metricIdentifierSchema)],
});
export interface ObjectMetricSource extends Infer<typeof objectMetricSourceSchema> {}

export const podsMetricSourceSchema = object(`${autoscaling}.PodsMetricSource`, {
  metric: [1, required(metricIdentifierSchema)],
  target: [2, required(metricTargetSchema)],
});
export interface PodsMetricSource extends Infer<typeof podsMetricSourceSchema> {}

export const resourceMetricSourceSchema = object(`${autoscaling}.ResourceMetricSource`, {
  name: [1, required(string())],
  target: [2, required(metricTargetSchema)],
});
export interface ResourceMetricSource extends Infer<typeof resourceMetricSourceSchema> {}

export const containerResourceMetricSourceSchema = object(`${autoscaling}.ContainerResourceMetricSource`, {
  name: [1, required(string())],
  target: [2, required(metricTargetSchema)],
  container: [3, required(string())],
});
export interface ContainerResourceMetricSource extends Infer<typeof containerResourceMetricSourceSchema> {}

export const externalMetricSourceSchema = object(`${autoscaling}.ExternalMetricSource`, {
  metric: [1, required(metricIdentifierSchema)],
  target: [2, required(metricTargetSchema)],
});
export interface ExternalMetricSource extends Infer<typeof externalMetricSourceSchema> {}

export const metricSpecSchema = object(`${autoscaling}.MetricSpec`, {
  type: [1, required(enumeration(['ContainerResource', 'External', 'Object', 'Pods', 'Resource']))],
  object: [2, objectMetricSourceSchema],
  pods: [3, podsMetricSourceSchema],
  resource: [4, resourceMetricSourceSchema],
  external: [5, externalMetricSourceSchema],
  containerResource: [7, containerResourceMetricSourceSchema],
});
export interface MetricSpec extends Infer<typeof metricSpecSchema> {}

export const objectMetricStatusSchema = object(`${autoscaling}.ObjectMetricStatus`, {
  metric: [1, required(metricIdentifierSchema)],
  current: [2, required(metricValueStatusSchema)],
  describedObject: [3, required(crossVersionObjectReferenceSchema)],
});
export interface ObjectMetricStatus extends Infer<typeof objectMetricStatusSchema> {}

export const podsMetricStatusSchema = object(`${autoscaling}.PodsMetricStatus`, {
  metric: [1, required(metricIdentifierSchema)],
  current: [2, required(metricValueStatusSchema)],
});
export interface PodsMetricStatus extends Infer<typeof podsMetricStatusSchema> {}

export const resourceMetricStatusSchema = object(`${autoscaling}.ResourceMetricStatus`, {
  name: [1, required(string({ default: '' }))],
  current: [2, required(metricValueStatusSchema)],
});
export interface ResourceMetricStatus extends Infer<typeof resourceMetricStatusSchema> {}

export const containerResourceMetricStatusSchema = object(`${autoscaling}.ContainerResourceMetricStatus`, {
  name: [1, required(string({ default: '' }))],
  current: [2, required(metricValueStatusSchema)],
  container: [3, required(string({ default: '' }))],
});
export interface ContainerResourceMetricStatus extends Infer<typeof containerResourceMetricStatusSchema> {}

export const externalMetricStatusSchema = object(`${autoscaling}.ExternalMetricStatus`, {
  metric: [1, required(metricIdentifierSchema)],
  current: [2, required(metricValueStatusSchema)],
});
export interface ExternalMetricStatus extends Infer<typeof externalMetricStatusSchema> {}

export const metricStatusSchema = object(`${autoscaling}.MetricStatus`, {
  type: [1, required(enumeration(['ContainerResource', 'External', 'Object', 'Pods', 'Resource']))],
  object: [2, objectMetricStatusSchema],
  pods: [3, podsMetricStatusSchema],
  resource: [4, resourceMetricStatusSchema],
  external: [5, externalMetricStatusSchema],
  containerResource: [7, containerResourceMetricStatusSchema],
});
export interface MetricStatus extends Infer<typeof metricStatusSchema> {}
