import { defineKind, resourceOf } from '#apis/definition.ts';
import { conditionColumn, readyColumns, statusProperties, type KnativeStatus } from '#apis/knative/status.ts';
import { objectMetaSchema, type KubeObject } from '#apis/meta/object.ts';
import { readConfig } from '#apis/serving/config/config-map.ts';
import { autoscalerTable } from '#apis/serving/config/tables.ts';
import { autoscalingPrefix, kpaClass } from '#apis/serving/validation/annotations.ts';
import { enumeration, int32, int64, object, required, string } from '#apis/schema.ts';

export const autoscalingInternalGroup = 'autoscaling.internal.knative.dev';

export const podAutoscalerSchema = object('dev.knative.autoscaling.v1alpha1.PodAutoscaler', {
  apiVersion: string(),
  kind: string(),
  metadata: objectMetaSchema,
  spec: object(null, {
    containerConcurrency: int64(),
    scaleTargetRef: object(null, { apiVersion: string(), kind: string(), name: string() }),
    reachability: enumeration(['', 'Reachable', 'Unreachable']),
    protocolType: required(string()),
  }),
  status: object(null, {
    ...statusProperties,
    serviceName: string(),
    metricsServiceName: string(),
    desiredScale: int32(),
    actualScale: int32(),
  }),
});

/** How one revision is to be scaled, and how it is. */
export interface PodAutoscaler extends KubeObject {
  spec?: {
    containerConcurrency?: number;
    scaleTargetRef?: { apiVersion?: string; kind?: string; name?: string };
    reachability?: '' | 'Reachable' | 'Unreachable';
    protocolType: string;
  };
  status?: KnativeStatus & { serviceName?: string; metricsServiceName?: string; desiredScale?: number; actualScale?: number };
}

export const classAnnotation = `${autoscalingPrefix}class`;
/** Whose a PodAutoscaler is: `kpa.…`, `hpa.…` or an autoscaler of somebody else's; undefined: Knative's own. */
export const classOf = ({ metadata }: PodAutoscaler): string | undefined => metadata.annotations?.[classAnnotation];

export const podAutoscalerDefinition = defineKind<PodAutoscaler>({
  group: autoscalingInternalGroup,
  kind: 'PodAutoscaler',
  plural: 'podautoscalers',
  shortNames: ['kpa', 'pa'],
  categories: ['knative-internal', 'autoscaling'],
  // Noted when it is made, since the configuration may change. Knative notes its own class too, which is what none means here.
  default(autoscaler, context) {
    if (context.operation !== 'create' || classOf(autoscaler) !== undefined) return;
    const usual = readConfig(autoscalerTable, context.config('knative-serving', 'config-autoscaler'))['pod-autoscaler-class'];
    if (usual !== kpaClass) (autoscaler.metadata.annotations ??= {})[classAnnotation] = usual;
  },
  versions: [
    {
      name: 'v1alpha1',
      schema: podAutoscalerSchema,
      served: true,
      columns: [
        { name: 'DesiredScale', type: 'integer', value: '.status.desiredScale' },
        { name: 'ActualScale', type: 'integer', value: '.status.actualScale' },
        ...readyColumns,
      ],
    },
  ],
});
export const podAutoscalers = resourceOf(podAutoscalerDefinition);

export const metricSchema = object('dev.knative.autoscaling.v1alpha1.Metric', {
  apiVersion: string(),
  kind: string(),
  metadata: objectMetaSchema,
  spec: object(null, {
    stableWindow: required(int64()),
    panicWindow: required(int64()),
    scrapeTarget: required(string()),
  }),
  status: object(null, { ...statusProperties }),
});

/** Windows (nanoseconds) over which a revision's requests are averaged. */
export interface Metric extends KubeObject {
  spec?: { stableWindow: number; panicWindow: number; scrapeTarget: string };
  status?: KnativeStatus;
}

export const metricDefinition = defineKind<Metric>({
  group: autoscalingInternalGroup,
  kind: 'Metric',
  plural: 'metrics',
  categories: ['knative-internal', 'autoscaling'],
  versions: [
    {
      name: 'v1alpha1',
      schema: metricSchema,
      served: true,
      columns: [conditionColumn('Ready', 'Ready', 'status'), conditionColumn('Reason', 'Ready', 'reason')],
    },
  ],
});
export const metrics = resourceOf(metricDefinition);
