import type { Job } from '#apis/batch/v1/job.ts';
import type { PodFailurePolicyRule } from '#apis/batch/v1/job-spec.ts';
import type { Pod } from '#apis/core/v1/pod.ts';
import { parseIndexes } from '#cluster/job/indexes.ts';

/** The first rule of the job's failure policy that a failed pod matches; the message is Kubernetes'. */
export interface FailureVerdict {
  readonly action: PodFailurePolicyRule['action'];
  readonly message: string;
}

/** What the job's podFailurePolicy says of a failed pod; undefined when no rule matches: it counts. */
export function failureVerdict(job: Job, pod: Pod): FailureVerdict | undefined {
  const { namespace = '', name = '' } = pod.metadata;
  if (pod.status?.phase !== 'Failed') return undefined;
  for (const [index, rule] of (job.spec.podFailurePolicy?.rules ?? []).entries()) {
    const end = `matching ${rule.action} rule at index ${index}`;
    const exit = failedExit(rule, pod);
    if (exit !== undefined) {
      const message = `Container ${exit.container} for pod ${namespace}/${name} failed with exit code ${exit.code} ${end}`;
      return { action: rule.action, message };
    }
    const condition = matchedCondition(rule, pod);
    if (condition !== undefined) return { action: rule.action, message: `Pod ${namespace}/${name} has condition ${condition} ${end}` };
  }
  return undefined;
}

/** A failure that the policy says is not the job's. */
export const isIgnored = (job: Job, pod: Pod): boolean => failureVerdict(job, pod)?.action === 'Ignore';

/** The success policy's first rule that the completed indexes meet; undefined while none is. */
export function metSuccessRule({ spec }: Job, completed: ReadonlySet<number>): number | undefined {
  const rules = spec.successPolicy?.rules ?? [];
  const index = rules.findIndex(({ succeededIndexes, succeededCount }) => {
    const asked = succeededIndexes === undefined ? undefined : parseIndexes(succeededIndexes, spec.completions ?? 0);
    const done = asked === undefined ? completed.size : [...asked].filter((one) => completed.has(one)).length;
    return done >= (succeededCount ?? asked?.size ?? Infinity);
  });
  return index === -1 ? undefined : index;
}

function failedExit({ onExitCodes }: PodFailurePolicyRule, { status }: Pod): { container: string; code: number } | undefined {
  if (onExitCodes === undefined) return undefined;
  const { containerName, operator, values } = onExitCodes;
  for (const { name, state } of [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]) {
    const code = state?.terminated?.exitCode ?? 0;
    if (code === 0 || (containerName !== undefined && containerName !== name)) continue;
    if (values.includes(code) === (operator === 'In')) return { container: name, code };
  }
  return undefined;
}

function matchedCondition({ onPodConditions = [] }: PodFailurePolicyRule, { status }: Pod): string | undefined {
  const holds = (pattern: { type: string; status?: string }) =>
    status?.conditions?.some((one) => one.type === pattern.type && one.status === (pattern.status ?? 'True')) ?? false;
  return onPodConditions.find(holds)?.type;
}
