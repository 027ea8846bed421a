import { open } from 'node:fs/promises';
import { Writable } from 'node:stream';
import type { Container } from '#apis/core/v1/container.ts';
import type { Engine, SandboxState } from '#apis/runtime/engine.ts';
import { logTail } from '#node/logs/log-reader.ts';
import { dialTcp, duplexOf, type ProbeTarget } from '#node/probes/probe-target.ts';

const maxOutputBytes = 10 * 1024;
const maxMessageBytes = 4096;

/** How probes and hooks reach a container: the pod's IP, or through the engine where we are not on the pod network. */
export function probeTarget(engine: Engine, sandbox: SandboxState, container: Container): ProbeTarget {
  return {
    podIp: sandbox.ip,
    async connect(port, host, signal) {
      const isOnPodNetwork = sandbox.dial === undefined || engine.capabilities.podNetwork !== undefined;
      if (host !== undefined || isOnPodNetwork) return dialTcp(host ?? sandbox.ip, port, signal);
      return duplexOf(await engine.dial(sandbox.id, port, signal));
    },
    async exec(command, signal) {
      const output = new CappedOutput(maxOutputBytes);
      const exitCode = await engine.exec(sandbox.id, container.name, { command, tty: false, stdout: output, stderr: output, signal });
      return { exitCode, output: output.text };
    },
    resolvePort(port) {
      if (typeof port === 'number') return port;
      return container.ports?.find((one) => one.name === port)?.containerPort ?? (/^\d+$/.test(port) ? Number(port) : undefined);
    },
  };
}

/** Keeps the first bytes written to it and drops the rest. */
class CappedOutput extends Writable {
  readonly #maxBytes: number;
  #parts: Buffer[] = [];
  #sizeBytes = 0;

  constructor(maxBytes: number) {
    super();
    this.#maxBytes = maxBytes;
  }

  get text(): string {
    return Buffer.concat(this.#parts).toString('utf8');
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    const kept = chunk.subarray(0, this.#maxBytes - this.#sizeBytes);
    if (kept.length > 0) this.#parts.push(kept);
    this.#sizeBytes += kept.length;
    done();
  }
}

/**
 * A container's last words: the first 4096 bytes of its termination message file, or, where the container asks for it and
 * failed without any, the end of its log.
 */
export async function terminationMessage(container: Container, file: string, logPath: string, exitCode: number): Promise<string> {
  const message = await readStart(file, maxMessageBytes);
  if (message !== '' || exitCode === 0 || container.terminationMessagePolicy !== 'FallbackToLogsOnError') return message;
  return logTail(logPath).catch(() => '');
}

async function readStart(file: string, sizeBytes: number): Promise<string> {
  const handle = await open(file, 'r').catch(() => undefined);
  if (handle === undefined) return '';
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(sizeBytes), 0, sizeBytes, 0);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await handle.close();
  }
}
