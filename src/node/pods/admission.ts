import type { Pod } from '#apis/core/v1/pod.ts';
import { qosClassOf } from '#apis/core/v1/qos-class.ts';
import { isCritical } from '#node/pressure/eviction.ts';
import type { Pressure } from '#node/registration/machine.ts';

export interface Refusal {
  readonly reason: string;
  readonly message: string;
}

const memoryTaint = 'node.kubernetes.io/memory-pressure';

/**
 * Why a node under pressure does not take a pod that was bound to it, in a kubelet's words. Critical pods are taken all the same; where only
 * memory is short, so are pods that have asked for what they need or tolerate it.
 */
export function refusalUnder(pressure: Pressure | undefined, pod: Pod): Refusal | undefined {
  const conditions = [
    ...(pressure?.memory === true ? ['MemoryPressure'] : []),
    ...(pressure?.disk === true ? ['DiskPressure'] : []),
    ...(pressure?.pids === true ? ['PIDPressure'] : []),
  ];
  if (conditions.length === 0 || isCritical(pod)) return undefined;
  if (conditions.join(' ') === 'MemoryPressure' && (qosClassOf(pod.spec) !== 'BestEffort' || toleratesMemoryPressure(pod)))
    return undefined;
  return { reason: 'Evicted', message: `The node had condition: [${conditions.join(' ')}]. ` };
}

function toleratesMemoryPressure({ spec }: Pod): boolean {
  return (spec?.tolerations ?? []).some(
    ({ key = '', operator = 'Equal', value = '', effect = '' }) =>
      (effect === '' || effect === 'NoSchedule') &&
      (operator === 'Exists' ? key === '' || key === memoryTaint : key === memoryTaint && value === ''),
  );
}
