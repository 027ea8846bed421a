import type { ContainerStateTerminated } from '#apis/core/v1/pod-status.ts';
import type { ContainerState } from '#apis/runtime/engine.ts';
import { rfc3339 } from '#core/clock.ts';

/** How a container ended, as its status says it: Completed, Error or OOMKilled. The signal is in the exit code alone, as with every CRI runtime. */
export function terminatedState(exit: ContainerState, message: string): ContainerStateTerminated {
  const exitCode = exit.exitCode ?? 137;
  return {
    exitCode,
    reason: exit.oomKilled === true ? 'OOMKilled' : exitCode === 0 ? 'Completed' : 'Error',
    ...(message === '' ? {} : { message }),
    ...(exit.startedAtMs === undefined ? {} : { startedAt: rfc3339(exit.startedAtMs) }),
    ...(exit.finishedAtMs === undefined ? {} : { finishedAt: rfc3339(exit.finishedAtMs) }),
    ...(exit.id === '' ? {} : { containerID: exit.id }),
  };
}

/** A container whose command could not be started at all, in containerd's terms: it never ran, so its start is the epoch. */
export function neverStarted(message: string, now: number): ContainerStateTerminated {
  return { exitCode: 128, reason: 'StartError', message, startedAt: rfc3339(0), finishedAt: rfc3339(now) };
}

/** A container that ran when the agent was last here and of which nothing is left, e.g. after a reboot. */
export function unlocated(startedAt: string, now: number, containerId: string): ContainerStateTerminated {
  return {
    exitCode: 137,
    reason: 'ContainerStatusUnknown',
    message: 'The container could not be located when the node agent came back; it used to be Running',
    ...(startedAt === '' ? {} : { startedAt }),
    finishedAt: rfc3339(now),
    ...(containerId === '' ? {} : { containerID: containerId }),
  };
}
