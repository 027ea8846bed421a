import type { Pod } from '#apis/core/v1/pod.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import { systemPriorityClasses } from '#apis/scheduling/v1/priority-class.ts';
import { forbidden } from '#apis/meta/status.ts';
import { resourcePrefix } from '#apiserver/cache/watch-cache.ts';
import type { AdmissionPlugin, AdmissionRequest } from '#apiserver/admission/admission.ts';
import { lookUp, type ServerContext } from '#apiserver/context.ts';

interface PriorityClass extends KubeObject {
  value?: number;
  globalDefault?: boolean;
  preemptionPolicy?: string;
}

const tolerationSeconds = 300;
const nodeConditionTaints = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'];
const schedulingGroup = 'scheduling.k8s.io';
const systemPriorities: Readonly<Record<string, number>> = Object.fromEntries(
  systemPriorityClasses.map(({ metadata, value }) => [metadata.name ?? '', value ?? 0]),
);

function isPodCreation({ served, operation, subresource }: AdmissionRequest): boolean {
  return served.definition.group === '' && served.definition.plural === 'pods' && operation === 'create' && subresource === '';
}

/** Pods stay five minutes on a node that is not ready, unless they say otherwise. */
export const defaultTolerations: AdmissionPlugin = {
  name: 'DefaultTolerationSeconds',
  admit(request) {
    if (!isPodCreation(request)) return;
    const { spec } = request.object as Pod;
    const tolerations = spec.tolerations ?? [];
    const tolerates = (key: string) =>
      tolerations.some(
        (one) => ((one.key ?? '') === key || (one.key ?? '') === '') && (one.effect === 'NoExecute' || (one.effect ?? '') === ''),
      );
    const added = nodeConditionTaints
      .filter((key) => !tolerates(key))
      .map((key) => ({ key, operator: 'Exists' as const, effect: 'NoExecute' as const, tolerationSeconds }));
    if (added.length > 0) spec.tolerations = [...tolerations, ...added];
  },
};

/** Turns a pod's priority class into its priority. */
export function priorityAdmission(context: ServerContext): AdmissionPlugin {
  return {
    name: 'Priority',
    admit(request) {
      if (!isPodCreation(request)) return;
      const { spec } = request.object as Pod;
      const name = spec.priorityClassName ?? '';
      const chosen = name === '' ? globalDefault(context) : classNamed(context, name);
      if (chosen === undefined && name !== '') throw forbidden('', 'pods', request.name, `no PriorityClass with name ${name} was found`);
      const value = chosen?.value ?? 0;
      if (spec.priority !== undefined && spec.priority !== value) {
        const text = `the integer value of priority (${spec.priority}) must not be provided in pod spec; priority admission controller computed ${value} from the given PriorityClass name`;
        throw forbidden('', 'pods', request.name, text);
      }
      spec.priority = value;
      spec.preemptionPolicy ??= (chosen?.preemptionPolicy ?? 'PreemptLowerPriority') as NonNullable<typeof spec.preemptionPolicy>;
      if (name === '' && chosen?.metadata.name !== undefined) spec.priorityClassName = chosen.metadata.name;
    },
  };
}

function classNamed(context: ServerContext, name: string): PriorityClass | undefined {
  const value = systemPriorities[name];
  if (value !== undefined) return { metadata: { name }, value };
  return lookUp(context, schedulingGroup, 'priorityclasses', '', name) as PriorityClass | undefined;
}

/** The lowest of those marked as global default; normally there is one or none. */
function globalDefault(context: ServerContext): PriorityClass | undefined {
  let found: PriorityClass | undefined;
  for (const { object } of context.cache
    .resource(schedulingGroup, 'priorityclasses')
    .range(resourcePrefix(schedulingGroup, 'priorityclasses'))) {
    const candidate = object as PriorityClass;
    if (candidate.globalDefault === true && (found === undefined || (candidate.value ?? 0) < (found.value ?? 0))) found = candidate;
  }
  return found;
}
