import { Readable } from 'node:stream';
import type { ContainerSupervisor } from '#node/engine-provider/container-supervisor.ts';
import type { PodRunner } from '#node/engine-provider/pod-runner.ts';
import { readLog } from '#node/logs/log-reader.ts';
import { ProviderError, type LogOptions } from '#node/provider.ts';

/** The log of a container's current or previous instance, with kubelet's refusals where there is none. */
export function containerLogs(runner: PodRunner, name: string, options: LogOptions): Readable {
  const pod = runner.pod.metadata.name ?? '';
  const container = runner.container(name);
  if (container === undefined) throw new ProviderError('InvalidInput', `container ${name} is not valid for pod ${pod}`);
  const attempt = logAttempt(container, options.previous);
  if (attempt === undefined) {
    const why = container.state.waiting?.reason ?? 'ContainerCreating';
    const text = options.previous
      ? `previous terminated container "${name}" in pod "${pod}" not found`
      : `container "${name}" in pod "${pod}" is waiting to start: ${why}`;
    throw new ProviderError('InvalidInput', text);
  }
  const isCurrent = attempt === container.restartCount;
  const ended = isCurrent ? container.ended : AbortSignal.abort();
  return Readable.from(readLog(runner.directory.logPath(name, attempt), options, ended), { objectMode: false });
}

/** A container in back-off has no current instance: its last one stands for both. */
function logAttempt(container: ContainerSupervisor, previous: boolean): number | undefined {
  const { state, restartCount, lastTerminated } = container;
  if (state.waiting !== undefined) return lastTerminated === undefined ? undefined : restartCount;
  if (!previous) return restartCount;
  return restartCount > 0 ? restartCount - 1 : undefined;
}
