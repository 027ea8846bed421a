import type { LifecycleHandler } from '#apis/core/v1/probe.ts';
import { sleep, type Clock } from '#core/clock.ts';
import { httpGet } from '#node/probes/http-attempt.ts';
import type { ProbeTarget } from '#node/probes/probe-target.ts';

/** Runs a postStart or preStop hook to its end; throws, in kubelet's words, when it fails. */
export async function runHook(hook: LifecycleHandler, target: ProbeTarget, clock: Clock, signal: AbortSignal): Promise<void> {
  if (hook.exec !== undefined) {
    const command = hook.exec.command ?? [];
    const { exitCode, output } = await target.exec(command, signal);
    if (exitCode !== 0) throw new Error(`command '${command.join(' ')}' exited with ${exitCode}: ${output}`);
  } else if (hook.httpGet !== undefined) {
    const { statusCode, url } = await httpGet(hook.httpGet, target, signal);
    if (statusCode >= 400) throw new Error(`Http lifecycle hook (${url}) failed with status ${statusCode}`);
  } else if (hook.sleep !== undefined) {
    await sleep(clock, hook.sleep.seconds * 1000, signal);
  } else if (hook.tcpSocket !== undefined) {
    throw new Error('invalid handler: tcpSocket is not supported in lifecycle hooks');
  }
}
