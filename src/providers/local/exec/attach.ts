import { closeSync, constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import type { StreamIo } from '#apis/runtime/engine.ts';
import type { ContainerRun } from '#providers/local/container/container-run.ts';
import { send } from '#providers/local/processes.ts';
import { windowSize } from '#providers/local/exec/window-size.ts';

/**
 * Connects to a container's own streams: output from now on, input if the container was made with stdin. Resolves when the container has ended or
 * `signal` aborts. With `stdinOnce` the end of the first attached input is the end of the container's.
 */
export async function attachStreams(run: ContainerRun, spec: StreamIo): Promise<void> {
  const stop = run.onOutput((stream, chunk) => {
    const target = stream === 'stderr' ? spec.stderr : spec.stdout;
    if (target !== undefined && !target.destroyed && !target.writableEnded) target.write(chunk);
  });
  const input = run.record.stdin && spec.stdin !== undefined ? openPipe(run.files.stdin) : undefined;
  const resize = run.record.tty && spec.resize !== undefined ? openPipe(run.files.resize) : undefined;
  if (input !== undefined && spec.stdin !== undefined) {
    spec.stdin.pipe(input);
    spec.stdin.once('end', () => {
      if (run.record.stdinOnce) input.end(() => closeInput(run));
    });
  }
  spec.resize?.((size) => resize?.write(windowSize(size)));
  try {
    await Promise.race([run.ended, aborted(spec.signal)]);
  } finally {
    stop();
    if (input !== undefined) spec.stdin?.unpipe(input);
    input?.destroy();
    resize?.destroy();
  }
}

function openPipe(path: string): Socket {
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  try {
    const socket = new Socket({ fd, readable: false, writable: true });
    socket.on('error', () => {});
    return socket;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function closeInput(run: ContainerRun): void {
  send(run.record.stdinHolderPid ?? 0, 'SIGKILL');
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
