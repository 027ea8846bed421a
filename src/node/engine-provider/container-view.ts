import type { Container } from '#apis/core/v1/container.ts';
import type { ContainerState, ContainerStateTerminated, ContainerStatus } from '#apis/core/v1/pod-status.ts';

/**
 * `sidecar`: an init container with `restartPolicy: Always`, which runs as long as the pod does. `ephemeral`: put into a running pod to look at it,
 * and no concern of the pod's.
 */
export type ContainerRole = 'init' | 'sidecar' | 'app' | 'ephemeral';

/** What the pod's status says of one container. */
export interface ContainerView {
  readonly role: ContainerRole;
  readonly container: Container;
  readonly state: ContainerState;
  readonly lastTerminated: ContainerStateTerminated | undefined;
  readonly ready: boolean;
  readonly started: boolean;
  readonly restartCount: number;
  readonly image: string;
  readonly imageId: string;
  readonly containerId: string;
}

export function containerStatusOf(view: ContainerView): ContainerStatus {
  return {
    name: view.container.name,
    state: view.state,
    lastState: view.lastTerminated === undefined ? {} : { terminated: view.lastTerminated },
    ready: view.ready,
    restartCount: view.restartCount,
    image: view.image,
    imageID: view.imageId,
    ...(view.containerId === '' ? {} : { containerID: view.containerId }),
    started: view.started,
  };
}

/** Whether an ended container is started again, by the pod's policy (a sidecar always, an init container unless it succeeded). */
export function shouldRestart(role: ContainerRole, restartPolicy: string, exitCode: number): boolean {
  if (role === 'sidecar') return true;
  if (role === 'ephemeral') return false;
  if (role === 'init') return exitCode !== 0 && restartPolicy !== 'Never';
  if (restartPolicy === 'Always') return true;
  return restartPolicy === 'OnFailure' && exitCode !== 0;
}
