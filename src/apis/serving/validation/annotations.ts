import { frozenRetentionAnnotation, idleAnnotation } from '#apis/dormouse/names.ts';
import { goDurationMs } from '#core/duration.ts';
import { generic, invalidKeyName, invalidValue, outOfBounds, type Finding } from '#apis/knative/field-error.ts';
import { tryParseQuantity } from '#apis/meta/quantity.ts';
import type { AutoscalerConfig } from '#apis/serving/config/tables.ts';
import { annotations as names } from '#apis/serving/names.ts';

export const autoscalingPrefix = 'autoscaling.knative.dev/';
export const kpaClass = 'kpa.autoscaling.knative.dev';
export const hpaClass = 'hpa.autoscaling.knative.dev';

/** Older camelCase spellings, accepted for reading. */
const aliases: Readonly<Record<string, string>> = {
  'min-scale': 'minScale',
  'max-scale': 'maxScale',
  'initial-scale': 'initialScale',
  'scale-down-delay': 'scaleDownDelay',
  'scale-to-zero-pod-retention-period': 'scaleToZeroPodRetentionPeriod',
  'metric-aggregation-algorithm': 'metricAggregationAlgorithm',
  'panic-window-percentage': 'panicWindowPercentage',
  'panic-threshold-percentage': 'panicThresholdPercentage',
  'target-burst-capacity': 'targetBurstCapacity',
  'target-utilization-percentage': 'targetUtilizationPercentage',
};

type Annotations = Readonly<Record<string, string>>;

/** An autoscaling annotation under its present or its older name: `[full key, value]`. */
export function autoscalingAnnotation(annotations: Annotations | undefined, name: string): readonly [string, string] | undefined {
  for (const spelling of [name, aliases[name]]) {
    const value = spelling === undefined ? undefined : annotations?.[autoscalingPrefix + spelling];
    if (value !== undefined) return [`${autoscalingPrefix}${spelling}`, value];
  }
  return undefined;
}

const maxInt32 = 2147483647;
const hourMs = 3_600_000;

/** Findings about the autoscaling annotations of a revision or its template; paths are the annotations' keys. */
export function validateAutoscaling(annotations: Annotations, config: AutoscalerConfig): Finding[] {
  return [
    ...validateClass(annotations),
    ...validateScaleBounds(annotations, config),
    ...validateNumbers(annotations),
    ...validateDurations(annotations),
    ...validateMetric(annotations, config),
    ...validateAlgorithm(annotations),
    ...validateInitialScale(annotations, config),
    ...validateFreezing(annotations),
  ];
}

/** The annotations that Knative does not have: a mistake in them would go unnoticed. */
function validateFreezing(annotations: Annotations): Finding[] {
  const { [idleAnnotation]: idle = 'freeze', [frozenRetentionAnnotation]: retention = '0s' } = annotations;
  return [
    ...(idle === 'freeze' ? [] : [{ ...invalidValue(idle, idleAnnotation), details: 'the only value is "freeze"' }]),
    ...((goDurationMs(retention) ?? -1) >= 0 ? [] : [invalidValue(retention, frozenRetentionAnnotation)]),
  ];
}

/** On a Service or Configuration autoscaling annotations have no effect, so they are refused. */
export function refuseAutoscaling(annotations: Annotations): Finding[] {
  return Object.keys(annotations)
    .filter((key) => key.startsWith('autoscaling.knative.dev') || key === idleAnnotation || key === frozenRetentionAnnotation)
    .map((key) => invalidKeyName(key, '', 'autoscaling annotations must be put under "spec.template.metadata.annotations" to work'));
}

function validateClass(annotations: Annotations): Finding[] {
  const found = autoscalingAnnotation(annotations, 'class');
  const wrong = found !== undefined && found[1].endsWith('.knative.dev') && found[1] !== kpaClass && found[1] !== hpaClass;
  return wrong ? [invalidValue(found[1], found[0])] : [];
}

function integerAtLeastZero(annotations: Annotations, name: string, findings: Finding[]): number {
  const found = autoscalingAnnotation(annotations, name);
  if (found === undefined) return 0;
  const [key, value] = found;
  if (!/^[+-]?\d+$/.test(value)) findings.push(invalidValue(value, key));
  else if (Number(value) < 0 || Number(value) > maxInt32) findings.push(outOfBounds(value, 0, maxInt32, key));
  else return Number(value);
  return 0;
}

function validateScaleBounds(annotations: Annotations, config: AutoscalerConfig): Finding[] {
  const findings: Finding[] = [];
  const min = integerAtLeastZero(annotations, 'min-scale', findings);
  const max = integerAtLeastZero(annotations, 'max-scale', findings);
  if (max !== 0 && max < min) {
    findings.push(
      generic(`max-scale=${max} is less than min-scale=${min}`, `${autoscalingPrefix}max-scale`, `${autoscalingPrefix}min-scale`),
    );
  }
  const limit = config['max-scale-limit'];
  const maxKey = autoscalingAnnotation(annotations, 'max-scale')?.[0];
  if (maxKey !== undefined && limit !== 0) {
    if (max > limit) findings.push(outOfBounds(max, 1, limit, maxKey));
    if (max === 0) findings.push(generic(`max-scale=0 (unlimited), must be less than ${limit}`, maxKey));
  }
  const activation = autoscalingAnnotation(annotations, 'activation-scale');
  if (activation === undefined) return findings;
  const [key, value] = activation;
  const scale = Number(value);
  if (!/^[+-]?\d+$/.test(value)) findings.push(invalidValue(value, key));
  else if (min > scale) findings.push(generic(`min-scale=${min} is greater than activation-scale=${scale}`, key));
  else if (max < scale && max !== 0) findings.push(generic(`max-scale=${max} is less than activation-scale=${scale}`, key));
  else if (scale < 2) findings.push(generic(`activation-scale=${scale} must be greater than 1`, key));
  return findings;
}

const bounded: readonly (readonly [string, number, number])[] = [
  ['panic-window-percentage', 1, 100],
  ['panic-threshold-percentage', 110, 1000],
  ['target-utilization-percentage', 1, 100],
];

function validateNumbers(annotations: Annotations): Finding[] {
  const findings: Finding[] = [];
  for (const [name, low, high] of bounded) {
    const found = autoscalingAnnotation(annotations, name);
    if (found === undefined) continue;
    const number = parseFloatStrict(found[1]);
    if (number === undefined) findings.push(invalidValue(found[1], found[0]));
    else if (number < low || number > high) findings.push(outOfBounds(found[1], low, high, found[0]));
  }
  const target = autoscalingAnnotation(annotations, 'target');
  if (target !== undefined) {
    const number = parseFloatStrict(target[1]);
    if (number === undefined) findings.push(invalidValue(target[1], target[0]));
    else if (number < 0.01) findings.push(generic(`target ${target[1]} should be at least 0.01`, target[0]));
  }
  const burst = autoscalingAnnotation(annotations, 'target-burst-capacity');
  if (burst !== undefined) {
    const number = parseFloatStrict(burst[1]);
    if (number === undefined || (number < 0 && number !== -1)) findings.push(invalidValue(burst[1], burst[0]));
  }
  return findings;
}

function validateDurations(annotations: Annotations): Finding[] {
  return [
    ...validateDuration(annotations, 'window', '6s', 6000, true),
    ...validateDuration(annotations, 'scale-to-zero-pod-retention-period', '0s', 0, false),
    ...validateDuration(annotations, 'scale-down-delay', '0s', 0, true),
  ];
}

function validateDuration(annotations: Annotations, name: string, minText: string, minMs: number, wholeSeconds: boolean): Finding[] {
  const found = autoscalingAnnotation(annotations, name);
  if (found === undefined) return [];
  const [key, value] = found;
  const ms = goDurationMs(value);
  if (ms === undefined) return [invalidValue(value, key)];
  if (ms < minMs || ms > hourMs) return [outOfBounds(value, minText, '1h0m0s', key)];
  return wholeSeconds && ms % 1000 !== 0 ? [generic('must be specified with at most second precision', key)] : [];
}

function validateMetric(annotations: Annotations, config: AutoscalerConfig): Finding[] {
  const metric = autoscalingAnnotation(annotations, 'metric');
  if (metric === undefined) return [];
  const scalerClass = autoscalingAnnotation(annotations, 'class')?.[1] ?? config['pod-autoscaler-class'];
  if (scalerClass === kpaClass) return ['concurrency', 'rps'].includes(metric[1]) ? [] : [invalidValue(metric[1], metric[0])];
  if (scalerClass === hpaClass) return metric[1] === '' ? [invalidValue(metric[1], metric[0])] : [];
  return [];
}

function validateAlgorithm(annotations: Annotations): Finding[] {
  if (autoscalingAnnotation(annotations, 'class')?.[1] !== kpaClass) return [];
  const found = autoscalingAnnotation(annotations, 'metric-aggregation-algorithm');
  if (found === undefined || ['', 'linear', 'weighted-exponential', 'weightedExponential'].includes(found[1])) return [];
  return [invalidValue(found[1], found[0])];
}

function validateInitialScale(annotations: Annotations, config: AutoscalerConfig): Finding[] {
  const found = autoscalingAnnotation(annotations, 'initial-scale');
  if (found === undefined) return [];
  const [key, value] = found;
  if (!/^[+-]?\d+$/.test(value)) return [invalidValue(value, key)];
  if (Number(value) < 0) return [invalidValue(value, `${key} must be greater than 0`)];
  return Number(value) === 0 && !config['allow-zero-initial-scale'] ? [invalidValue(value, `${key}=0 not allowed by cluster`)] : [];
}

/** A whole-second, non-negative Go duration in annotation `key`; `word` names it in the text. */
export function validateSecondsAnnotation(annotations: Annotations, key: string, word: string): Finding[] {
  const value = annotations[key];
  if (value === undefined || value === '') return [];
  const ms = goDurationMs(value);
  if (ms === undefined) return [invalidValue(value, key)];
  if (ms % 1000 !== 0) return [generic(`${word}=${value} is not at second precision`, key)];
  return ms < 0 ? [generic(`${word}=${value} must be positive`, key)] : [];
}

export const validateRolloutDuration = (annotations: Annotations): Finding[] =>
  validateSecondsAnnotation(annotations, names.rolloutDuration, 'rollout-duration');
export const validateProgressDeadline = (annotations: Annotations): Finding[] =>
  validateSecondsAnnotation(annotations, names.progressDeadline, 'progress-deadline');

const sidecarPrefix = 'queue.sidecar.serving.knative.dev/';
const sidecarQuantities = ['cpu', 'memory', 'ephemeral-storage'].flatMap((resource) =>
  ['request', 'limit'].map((end) => `${resource}-resource-${end}`),
);

/** Annotations about the sidecar Knative would run: there is none here, but their values are checked all the same. */
export function validateSidecarAnnotations(annotations: Annotations): Finding[] {
  const findings: Finding[] = [];
  for (const name of sidecarQuantities) {
    const value = annotations[sidecarPrefix + name];
    if (value !== undefined && tryParseQuantity(value) === undefined) findings.push(invalidValue(value, `[${sidecarPrefix}${name}]`));
  }
  for (const name of ['resource-percentage', 'resourcePercentage']) {
    const value = annotations[sidecarPrefix + name];
    if (value === undefined) continue;
    const number = parseFloatStrict(value);
    if (number === undefined) findings.push(invalidValue(value, `[${sidecarPrefix}${name}]`));
    else if (number < 0.1 || number > 100) findings.push(outOfBounds(number, 0.1, 100, `[${sidecarPrefix}${name}]`));
  }
  return findings;
}

const networkingOnTemplates = new Set(
  [
    'ingress-class',
    'ingress.class',
    'certificate-class',
    'certificate.class',
    'disable-auto-tls',
    'disableAutoTLS',
    'disable-external-domain-tls',
    'http-protocol',
    'httpOption',
    'http-option',
    'visibility',
    'certificate-type',
    'trust-bundle',
  ].map((name) => `networking.knative.dev/${name}`),
);

/** `networking.knative.dev/*` annotations of a template: only known ones. */
export function validateNetworkingAnnotations(annotations: Annotations): Finding[] {
  return Object.keys(annotations)
    .filter((key) => key.startsWith('networking.knative.dev/') && !networkingOnTemplates.has(key))
    .map((key) => invalidKeyName(key, ''));
}

function parseFloatStrict(text: string): number | undefined {
  const number = Number(text);
  return text.trim() === '' || Number.isNaN(number) ? undefined : number;
}
