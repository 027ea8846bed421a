import type { HPAScalingRules, HorizontalPodAutoscalerSpec } from '#apis/autoscaling/v2/horizontal-pod-autoscaler.ts';

/** What was proposed, or by how much the count was changed, and when. */
interface Record {
  readonly atMs: number;
  readonly value: number;
}

/** What is remembered of one autoscaler between its decisions. */
export interface History {
  recommendations: readonly Record[];
  ups: readonly Record[];
  downs: readonly Record[];
}

/** A decision, with the words of its conditions. */
export interface Decision {
  readonly replicas: number;
  readonly able: { readonly reason: string; readonly message: string };
  readonly limited: { readonly status: 'True' | 'False'; readonly reason: string; readonly message: string };
}

const unchanged = { reason: 'ReadyForNewScale', message: 'recommended size matches current size' };
const defaultDownWindowSeconds = 300;
/** The rules of a spec that gives none: up by a factor of two or four pods, down by as much as one likes. */
const defaultUp: HPAScalingRules = {
  stabilizationWindowSeconds: 0,
  selectPolicy: 'Max',
  policies: [
    { type: 'Percent', value: 100, periodSeconds: 15 },
    { type: 'Pods', value: 4, periodSeconds: 15 },
  ],
};
const defaultDown: HPAScalingRules = { selectPolicy: 'Max', policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }] };

/** From what the metrics propose to what is done: held steady over the windows, not faster than the policies, within the bounds. */
export function normalize(spec: HorizontalPodAutoscalerSpec, current: number, proposed: number, history: History, nowMs: number): Decision {
  const up = spec.behavior?.scaleUp ?? defaultUp;
  const down = spec.behavior?.scaleDown ?? defaultDown;
  if (history.recommendations.length === 0) history.recommendations = [{ atMs: nowMs, value: current }];
  history.recommendations = [...history.recommendations, { atMs: nowMs, value: proposed }];
  const steady = stabilize(up, down, current, proposed, history, nowMs);
  const able =
    steady === proposed
      ? unchanged
      : steady > proposed
        ? {
            reason: 'ScaleDownStabilized',
            message: 'recent recommendations were higher than current one, applying the highest recent recommendation',
          }
        : {
            reason: 'ScaleUpStabilized',
            message: 'recent recommendations were lower than current one, applying the lowest recent recommendation',
          };
  const { replicas, limited } = limit(spec, current, steady, { up, down, history, nowMs });
  return { replicas, able, limited };
}

/** Remembers a change for the policies' periods; what no period reaches any more is forgotten. */
export function remember(spec: HorizontalPodAutoscalerSpec, history: History, from: number, to: number, nowMs: number): void {
  const up = spec.behavior?.scaleUp ?? defaultUp;
  const down = spec.behavior?.scaleDown ?? defaultDown;
  if (to > from) history.ups = [...since(history.ups, longestPeriodMs(up), nowMs), { atMs: nowMs, value: to - from }];
  if (to < from) history.downs = [...since(history.downs, longestPeriodMs(down), nowMs), { atMs: nowMs, value: from - to }];
}

function stabilize(up: HPAScalingRules, down: HPAScalingRules, current: number, proposed: number, history: History, nowMs: number): number {
  const upMs = (up.stabilizationWindowSeconds ?? 0) * 1000;
  const downMs = (down.stabilizationWindowSeconds ?? defaultDownWindowSeconds) * 1000;
  history.recommendations = since(history.recommendations, Math.max(upMs, downMs), nowMs);
  const lowest = Math.min(proposed, ...since(history.recommendations, upMs, nowMs).map(({ value }) => value));
  const highest = Math.max(proposed, ...since(history.recommendations, downMs, nowMs).map(({ value }) => value));
  return Math.min(Math.max(current, lowest), highest);
}

function limit(
  { minReplicas = 1, maxReplicas }: HorizontalPodAutoscalerSpec,
  current: number,
  wanted: number,
  { up, down, history, nowMs }: { up: HPAScalingRules; down: HPAScalingRules; history: History; nowMs: number },
): Pick<Decision, 'replicas' | 'limited'> {
  if (wanted > current) {
    const fastest = Math.max(current, upLimit(up, current, history, nowMs));
    const most = Math.min(maxReplicas, fastest);
    if (wanted > most) return { replicas: most, limited: fastest < maxReplicas ? tooFast('increasing', 'ScaleUpLimit') : tooMany };
  } else if (wanted < current) {
    const fastest = Math.min(current, downLimit(down, current, history, nowMs));
    const fewest = Math.max(minReplicas, fastest);
    if (wanted < fewest) return { replicas: fewest, limited: fastest > minReplicas ? tooFast('decreasing', 'ScaleDownLimit') : tooFew };
  }
  if (wanted > maxReplicas) return { replicas: maxReplicas, limited: tooMany };
  if (wanted < minReplicas) return { replicas: minReplicas, limited: tooFew };
  const message = 'the desired count is within the acceptable range';
  return { replicas: wanted, limited: { status: 'False', reason: 'DesiredWithinRange', message } };
}

const tooMany: Decision['limited'] = {
  status: 'True',
  reason: 'TooManyReplicas',
  message: 'the desired replica count is more than the maximum replica count',
};
const tooFew: Decision['limited'] = {
  status: 'True',
  reason: 'TooFewReplicas',
  message: 'the desired replica count is less than the minimum replica count',
};

function tooFast(how: string, reason: string): Decision['limited'] {
  return { status: 'True', reason, message: `the desired replica count is ${how} faster than the maximum scale rate` };
}

function upLimit(rules: HPAScalingRules, current: number, { ups, downs }: History, nowMs: number): number {
  if (rules.selectPolicy === 'Disabled') return current;
  const limits = (rules.policies ?? []).map(({ type, value, periodSeconds }) => {
    const begin = current - total(ups, periodSeconds, nowMs) + total(downs, periodSeconds, nowMs);
    return type === 'Pods' ? begin + value : Math.ceil(begin * (1 + value / 100));
  });
  return rules.selectPolicy === 'Min' ? Math.min(...limits) : Math.max(...limits);
}

function downLimit(rules: HPAScalingRules, current: number, { ups, downs }: History, nowMs: number): number {
  if (rules.selectPolicy === 'Disabled') return current;
  const limits = (rules.policies ?? []).map(({ type, value, periodSeconds }) => {
    const begin = current - total(ups, periodSeconds, nowMs) + total(downs, periodSeconds, nowMs);
    return type === 'Pods' ? begin - value : Math.floor(begin * (1 - value / 100));
  });
  return rules.selectPolicy === 'Min' ? Math.max(...limits) : Math.min(...limits);
}

function total(records: readonly Record[], periodSeconds: number, nowMs: number): number {
  return since(records, periodSeconds * 1000, nowMs).reduce((sum, { value }) => sum + value, 0);
}

function since(records: readonly Record[], windowMs: number, nowMs: number): readonly Record[] {
  return records.filter(({ atMs }) => atMs > nowMs - windowMs);
}

function longestPeriodMs({ policies = [] }: HPAScalingRules): number {
  return Math.max(0, ...policies.map(({ periodSeconds }) => periodSeconds)) * 1000;
}
