import type { HorizontalPodAutoscaler as V1 } from '#apis/autoscaling/v1/horizontal-pod-autoscaler.ts';
import type { HorizontalPodAutoscaler as V2 } from '#apis/autoscaling/v2/horizontal-pod-autoscaler.ts';
import type { MetricSpec } from '#apis/autoscaling/v2/metrics.ts';
import type { KubeObject, ObjectMeta } from '#apis/meta/object.ts';

/** Where v1 keeps what it has no fields for, so that a v1 client writes back what it has read. */
const metricsAnnotation = 'autoscaling.alpha.kubernetes.io/metrics';
const behaviorAnnotation = 'autoscaling.alpha.kubernetes.io/behavior';

/** Brings a HorizontalPodAutoscaler to the other version. v1 knows one metric: the average use of requested CPU. */
export function convertAutoscaler(object: KubeObject, _from: string, to: string): KubeObject {
  return to === 'v1' ? toV1(object as V2) : toV2(object as V1);
}

const isCpuUtilization = ({ resource }: MetricSpec): boolean =>
  resource?.name === 'cpu' && resource.target.averageUtilization !== undefined;

function toV1({ metadata, spec, status, ...rest }: V2): V1 {
  const { metrics = [], behavior, ...common } = spec;
  const cpu = metrics.find(isCpuUtilization);
  const others = metrics.filter((metric) => metric !== cpu);
  const used = status?.currentMetrics?.find(({ resource }) => resource?.name === 'cpu')?.resource?.current.averageUtilization;
  const { lastScaleTime, observedGeneration, currentReplicas = 0, desiredReplicas = 0 } = status ?? {};
  return {
    ...rest,
    metadata: annotated(metadata, {
      [metricsAnnotation]: others.length === 0 ? undefined : JSON.stringify(others),
      [behaviorAnnotation]: behavior === undefined ? undefined : JSON.stringify(behavior),
    }),
    spec: { ...common, ...defined({ targetCPUUtilizationPercentage: cpu?.resource?.target.averageUtilization }) },
    status: { currentReplicas, desiredReplicas, ...defined({ lastScaleTime, observedGeneration, currentCPUUtilizationPercentage: used }) },
  };
}

function toV2({ metadata, spec, status, ...rest }: V1): V2 {
  const { targetCPUUtilizationPercentage: percent, ...common } = spec;
  const cpu: MetricSpec[] =
    percent === undefined
      ? []
      : [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: percent } } }];
  const others = parsed<MetricSpec[]>(metadata.annotations?.[metricsAnnotation]) ?? [];
  const behavior = parsed<NonNullable<V2['spec']['behavior']>>(metadata.annotations?.[behaviorAnnotation]);
  const metrics = [...(Array.isArray(others) ? others : []), ...cpu];
  const { lastScaleTime, observedGeneration, currentReplicas = 0, desiredReplicas = 0 } = status ?? {};
  return {
    ...rest,
    metadata: annotated(metadata, { [metricsAnnotation]: undefined, [behaviorAnnotation]: undefined }),
    spec: { ...common, ...(metrics.length === 0 ? {} : { metrics }), ...defined({ behavior }) },
    status: { currentReplicas, desiredReplicas, ...defined({ lastScaleTime, observedGeneration }) },
  };
}

function annotated(metadata: ObjectMeta, changes: Readonly<Record<string, string | undefined>>): ObjectMeta {
  const { annotations, ...rest } = metadata;
  const next: Record<string, string> = defined({ ...annotations, ...changes });
  return Object.keys(next).length === 0 ? rest : { ...rest, annotations: next };
}

type Defined<T> = string extends keyof T ? Record<string, Exclude<T[keyof T], undefined>> : { [K in keyof T]?: Exclude<T[K], undefined> };

function defined<T extends object>(values: T): Defined<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Defined<T>;
}

/** An annotation a client may have written by hand: what cannot be read is not there. */
function parsed<T>(text: string | undefined): T | undefined {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as T;
  } catch {
    return undefined;
  }
}
