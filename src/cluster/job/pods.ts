import { jobs, type Job } from '#apis/batch/v1/job.ts';
import type { Pod, PodSpec } from '#apis/core/v1/pod.ts';
import { isTerminating } from '#apis/core/v1/pod-state.ts';
import { podFromTemplate } from '#cluster/owned-pods.ts';

/** Keeps a finished pod until the job has counted it. */
export const trackingFinalizer = 'batch.kubernetes.io/job-tracking';
const indexKey = 'batch.kubernetes.io/job-completion-index';

export const isTracked = (pod: Pod): boolean => pod.metadata.finalizers?.includes(trackingFinalizer) ?? false;
export const hasSucceeded = (pod: Pod): boolean => pod.status?.phase === 'Succeeded';

/** Failed, or taken away before it could end (unless the job replaces only what has really failed). */
export function hasFailed(job: Job, pod: Pod): boolean {
  if (pod.status?.phase === 'Failed') return true;
  return job.spec.podReplacementPolicy !== 'Failed' && isTerminating(pod) && !hasSucceeded(pod);
}

export function indexOf(pod: Pod): number | undefined {
  const text = pod.metadata.annotations?.[indexKey];
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

/** When the pod ended: its last container's end, else its deletion, else when it was made. */
export function endedMs(pod: Pod): number {
  const ends = (pod.status?.containerStatuses ?? []).map(({ state }) => Date.parse(state?.terminated?.finishedAt ?? ''));
  const known = ends.filter((ms) => !Number.isNaN(ms));
  if (known.length > 0) return Math.max(...known);
  const { deletionTimestamp, creationTimestamp = '' } = pod.metadata;
  const ready = pod.status?.conditions?.find(({ type }) => type === 'Ready')?.lastTransitionTime;
  return Date.parse(deletionTimestamp ?? ready ?? creationTimestamp);
}

export function makePod(job: Job, index: number | undefined): Pod {
  const pod = podFromTemplate(job, jobs, job.spec.template);
  const { name = '' } = job.metadata;
  const own = index === undefined ? {} : { [indexKey]: String(index) };
  return {
    metadata: {
      ...pod.metadata,
      ...(index === undefined ? {} : { generateName: `${name}-${index}-` }),
      labels: { ...pod.metadata.labels, ...own },
      annotations: { ...pod.metadata.annotations, ...own },
      finalizers: [...(pod.metadata.finalizers ?? []), trackingFinalizer],
    },
    spec: index === undefined ? pod.spec : withIndex(pod.spec, `${name}-${index}`),
  };
}

/** The containers of an indexed pod learn their index; the host name carries it. */
function withIndex(spec: PodSpec, hostname: string): PodSpec {
  const variable = { name: 'JOB_COMPLETION_INDEX', valueFrom: { fieldRef: { fieldPath: `metadata.labels['${indexKey}']` } } };
  const told = <C extends { env?: { name: string }[] }>(container: C): C => {
    const known = container.env?.some(({ name }) => name === variable.name) ?? false;
    return known ? container : { ...container, env: [...(container.env ?? []), variable] };
  };
  return {
    ...spec,
    hostname: spec.hostname ?? hostname,
    containers: spec.containers.map(told),
    ...(spec.initContainers === undefined ? {} : { initContainers: spec.initContainers.map(told) }),
  };
}
