import type { PodAutoscaler } from '#apis/autoscaling-internal/v1alpha1/pod-autoscaler.ts';
import { frozenRetentionAnnotation, idleAnnotation } from '#apis/dormouse/names.ts';
import { autoscalingAnnotation } from '#apis/serving/validation/annotations.ts';
import type { AutoscalerConfig } from '#apis/serving/config/tables.ts';
import { goDurationMs } from '#core/duration.ts';

/** How one revision is scaled: its annotations over the configuration (serving.md §3.1); durations in milliseconds. */
export interface ScalingSpec {
  readonly metric: 'concurrency' | 'rps';
  /** The wanted value per pod before utilization is taken off. */
  readonly totalTarget: number;
  /** The value per pod that is scaled for. */
  readonly target: number;
  readonly burstCapacity: number;
  readonly stableWindowMs: number;
  readonly panicWindowMs: number;
  /** Multiple of what the ready pods can take at which panic begins, e.g. 2. */
  readonly panicThreshold: number;
  readonly maxScaleUpRate: number;
  readonly maxScaleDownRate: number;
  readonly scaleDownDelayMs: number;
  readonly weighted: boolean;
  readonly reachable: boolean;
  readonly minScale: number;
  /** 0: no limit. */
  readonly maxScale: number;
  readonly initialScale: number;
  readonly activationScale: number;
  readonly retentionMs: number;
  readonly activatorCapacity: number;
  readonly enableScaleToZero: boolean;
  /** Idle pods are frozen and kept this long instead of being removed; undefined: removed. */
  readonly frozenRetentionMs: number | undefined;
}

const defaultFrozenRetentionMs = 3_600_000;

export function scalingSpec(autoscaler: PodAutoscaler, config: AutoscalerConfig): ScalingSpec {
  const notes = autoscaler.metadata.annotations ?? {};
  const number = (name: string, fallback: number) => Number(autoscalingAnnotation(notes, name)?.[1] ?? fallback);
  const duration = (name: string, fallback: number) => goDurationMs(autoscalingAnnotation(notes, name)?.[1] ?? '') ?? fallback;
  const metric = autoscalingAnnotation(notes, 'metric')?.[1] === 'rps' ? 'rps' : 'concurrency';
  const stableWindowMs = duration('window', config['stable-window']);
  const reachable = autoscaler.spec?.reachability !== 'Unreachable';
  const totalTarget = wantedTarget(autoscaler, metric, config);
  return {
    metric,
    totalTarget,
    target: Math.max(0.01, totalTarget * utilization(notes, config)),
    burstCapacity: number('target-burst-capacity', config['target-burst-capacity']),
    stableWindowMs,
    panicWindowMs: Math.max(1000, (stableWindowMs * number('panic-window-percentage', config['panic-window-percentage'])) / 100),
    panicThreshold: number('panic-threshold-percentage', config['panic-threshold-percentage']) / 100,
    maxScaleUpRate: config['max-scale-up-rate'],
    maxScaleDownRate: config['max-scale-down-rate'],
    scaleDownDelayMs: duration('scale-down-delay', config['scale-down-delay']),
    weighted: /^weighted-?exponential$/i.test(autoscalingAnnotation(notes, 'metric-aggregation-algorithm')?.[1] ?? ''),
    reachable,
    minScale: reachable ? number('min-scale', config['min-scale']) : 0,
    maxScale: number('max-scale', config['max-scale']),
    initialScale: number('initial-scale', config['initial-scale']),
    activationScale: number('activation-scale', 1),
    retentionMs: duration('scale-to-zero-pod-retention-period', config['scale-to-zero-pod-retention-period']),
    activatorCapacity: config['activator-capacity'],
    enableScaleToZero: config['enable-scale-to-zero'],
    frozenRetentionMs:
      notes[idleAnnotation] === 'freeze' ? (goDurationMs(notes[frozenRetentionAnnotation] ?? '') ?? defaultFrozenRetentionMs) : undefined,
  };
}

/** The annotation's target or the default, never above the hard limit of a container. */
function wantedTarget(autoscaler: PodAutoscaler, metric: 'concurrency' | 'rps', config: AutoscalerConfig): number {
  const own = autoscalingAnnotation(autoscaler.metadata.annotations, 'target');
  if (metric === 'rps') return own === undefined ? config['requests-per-second-target-default'] : Number(own[1]);
  const limit = autoscaler.spec?.containerConcurrency ?? 0;
  if (own === undefined) return limit > 0 ? limit : config['container-concurrency-target-default'];
  return limit > 0 ? Math.min(Number(own[1]), limit) : Number(own[1]);
}

function utilization(notes: Readonly<Record<string, string>>, config: AutoscalerConfig): number {
  const own = autoscalingAnnotation(notes, 'target-utilization-percentage');
  const percent = own === undefined ? config['container-concurrency-target-percentage'] : Number(own[1]);
  // Knative reads a configured value up to 1 as a fraction.
  return own === undefined && percent <= 1 ? percent : percent / 100;
}
