import type { Probe } from '#apis/core/v1/probe.ts';
import type { Clock } from '#core/clock.ts';
import { grpcHealth } from '#node/probes/grpc-attempt.ts';
import { http2Status, httpGet } from '#node/probes/http-attempt.ts';
import type { ProbeTarget } from '#node/probes/probe-target.ts';

/** The outcome of one probe; `message` is kubelet's text. */
export interface Attempt {
  readonly ok: boolean;
  readonly message: string;
}

const success: Attempt = { ok: true, message: '' };

/** Probes once, within the probe's timeout. Never throws. `detectHttp2`: a probe by HTTP tries HTTP/2 before, with a timeout of its own. */
export async function attemptProbe(probe: Probe, target: ProbeTarget, clock: Clock, detectHttp2 = false): Promise<Attempt> {
  const { httpGet: action, timeoutSeconds = 1 } = probe;
  const within = async <T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    const timeout = new AbortController();
    const cancel = clock.after(timeoutSeconds * 1000, () => timeout.abort());
    return work(timeout.signal).finally(cancel);
  };
  try {
    if (detectHttp2 && action !== undefined) {
      const status = await within((signal) => http2Status(action, target, signal));
      if (status !== undefined && isGood(status)) return success;
    }
    return await within((signal) => dispatch(probe, target, signal, timeoutSeconds));
  } catch (error) {
    return { ok: false, message: error instanceof Error ? error.message : String(error) };
  }
}

const isGood = (statusCode: number): boolean => statusCode >= 200 && statusCode < 400;

async function dispatch(probe: Probe, target: ProbeTarget, signal: AbortSignal, timeoutSeconds: number): Promise<Attempt> {
  if (probe.httpGet !== undefined) {
    const { statusCode } = await httpGet(probe.httpGet, target, signal);
    return isGood(statusCode) ? success : { ok: false, message: `HTTP probe failed with statuscode: ${statusCode}` };
  }
  if (probe.tcpSocket !== undefined) {
    const port = target.resolvePort(probe.tcpSocket.port);
    if (port === undefined) throw new Error(`couldn't find port: ${String(probe.tcpSocket.port)}`);
    const connection = await target.connect(port, probe.tcpSocket.host === '' ? undefined : probe.tcpSocket.host, signal);
    // Having connected is the answer; what the connection says when it is cut is nobody's concern.
    connection.on('error', () => {});
    connection.destroy();
    return success;
  }
  if (probe.grpc !== undefined) {
    const connection = await target.connect(probe.grpc.port, undefined, signal);
    const status = await grpcHealth(connection, `${target.podIp}:${probe.grpc.port}`, probe.grpc.service ?? '', signal);
    const ok = status === 'SERVING';
    return ok ? success : { ok, message: `service unhealthy (responded with "${status}")` };
  }
  if (probe.exec !== undefined) return execAttempt(probe.exec.command ?? [], target, signal, timeoutSeconds);
  return success;
}

async function execAttempt(command: readonly string[], target: ProbeTarget, signal: AbortSignal, timeoutSeconds: number): Promise<Attempt> {
  const timedOut = new Promise<never>((_resolve, reject) => {
    const text = `command timed out: "${command.join(' ')}" timed out after ${timeoutSeconds}s`;
    signal.addEventListener('abort', () => reject(new Error(text)), { once: true });
  });
  const { exitCode, output } = await Promise.race([target.exec(command, signal), timedOut]);
  return exitCode === 0 ? success : { ok: false, message: output };
}
