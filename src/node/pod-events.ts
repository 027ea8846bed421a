import type { KubeObject } from '#apis/meta/object.ts';
import type { Pod } from '#apis/core/v1/pod.ts';
import type { EventRecorder } from '#controller/controller.ts';
import type { PodEvents } from '#node/sources.ts';

/** Events about pods, pointing at the container they are about (`spec.containers{name}`) as kubelet's do. */
export function podEvents(recorder: EventRecorder): PodEvents {
  const write = (type: 'Normal' | 'Warning') => (pod: KubeObject, reason: string, message: string, container?: string) => {
    const object = { ...pod, apiVersion: 'v1', kind: 'Pod' };
    recorder.event(object, type, reason, message, container === undefined ? undefined : fieldPath(pod, container));
  };
  return { normal: write('Normal'), warning: write('Warning') };
}

function fieldPath(pod: KubeObject, container: string): string {
  const isInit = (pod as Pod).spec?.initContainers?.some((one) => one.name === container) ?? false;
  return `spec.${isInit ? 'initContainers' : 'containers'}{${container}}`;
}
