import type { MetricSpec, MetricStatus, MetricTarget, MetricValueStatus } from '#apis/autoscaling/v2/metrics.ts';

/** TARGETS of `kubectl get hpa`: `cpu: 12%/80%`, at most two of them. */
export function formatTargets(specs: readonly MetricSpec[] | undefined, statuses: readonly MetricStatus[] | undefined): string {
  if (specs === undefined || specs.length === 0) return '<none>';
  const texts = specs.map((spec, index) => describe(spec, statuses?.[index]));
  const shown = texts.slice(0, 2).join(', ');
  return texts.length > 2 ? `${shown} + ${texts.length - 2} more...` : shown;
}

function describe(spec: MetricSpec, status: MetricStatus | undefined): string {
  if (spec.external !== undefined) return averageOrValue(spec.external.target, status?.external?.current);
  if (spec.pods !== undefined) return `${status?.pods?.current.averageValue ?? '<unknown>'}/${spec.pods.target.averageValue ?? ''}`;
  if (spec.object !== undefined) return averageOrValue(spec.object.target, status?.object?.current);
  if (spec.resource !== undefined) return `${spec.resource.name}: ${resourceUse(spec.resource.target, status?.resource?.current)}`;
  if (spec.containerResource !== undefined) {
    return `${spec.containerResource.name}: ${resourceUse(spec.containerResource.target, status?.containerResource?.current)}`;
  }
  return '<unknown type>';
}

function averageOrValue(target: MetricTarget, current: MetricValueStatus | undefined): string {
  if (target.averageValue !== undefined) return `${current?.averageValue ?? '<unknown>'}/${target.averageValue} (avg)`;
  return `${current?.value ?? '<unknown>'}/${target.value ?? ''}`;
}

function resourceUse(target: MetricTarget, current: MetricValueStatus | undefined): string {
  if (target.averageValue !== undefined) return `${current?.averageValue ?? '<unknown>'}/${target.averageValue}`;
  const used = current?.averageUtilization === undefined ? '<unknown>' : `${current.averageUtilization}%`;
  return `${used}/${target.averageUtilization === undefined ? '<auto>' : `${target.averageUtilization}%`}`;
}
