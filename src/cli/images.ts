import type { WriteStream } from 'node:tty';
import { ImageClient } from '#images/remote.ts';
import type { ImageProgress } from '#images/remote.ts';
import type { Invocation } from '#cli/command.ts';
import { layoutFor, requireRunning } from '#cli/platform.ts';
import { imageToken } from '#platform/image-token.ts';
import { localHost } from '#platform/local-host.ts';

/** The image store of the running platform, and the host part of its registry's names. */
export async function connectImages(invocation: Invocation): Promise<{ readonly images: ImageClient; readonly registry: string }> {
  const layout = await layoutFor(invocation);
  const { listen, ports } = await requireRunning(layout);
  const images = new ImageClient({ url: `http://${localHost(listen)}:${ports.registryPort}`, token: () => imageToken(layout) });
  return { images, registry: `localhost:${ports.registryPort}` };
}

/** Prints progress: a line a step, layers when they end. On a terminal the last line says how much of those under way has come or gone. */
export function progressPrinter({ stdout }: Pick<Invocation, 'stdout'>, indent = ''): (progress: ImageProgress) => void {
  const redraws = (stdout as Partial<WriteStream>).isTTY === true;
  const underWay = new Map<string, { readonly current: number; readonly total: number }>();
  const line = (text: string) => stdout.write(`${redraws ? '\r\x1b[K' : ''}${indent}${text}\n`);
  return (progress) => {
    if (progress.type === 'status') line(progress.message);
    else if (progress.type !== 'layer') {
      if (redraws) stdout.write('\r\x1b[K');
      return;
    } else if (progress.state === 'done' || progress.state === 'exists') {
      underWay.delete(progress.digest);
      line(`${progress.digest.slice(7, 19)}  ${progress.state === 'done' ? 'done' : 'already there'}  ${megabytes(progress.totalBytes)}`);
    } else underWay.set(progress.digest, { current: progress.currentBytes, total: progress.totalBytes });
    if (redraws && underWay.size > 0) stdout.write(`\r\x1b[K${indent}${summary([...underWay.values()])}`);
  };
}

function summary(parts: readonly { readonly current: number; readonly total: number }[]): string {
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const [current, total] = [sum(parts.map((part) => part.current)), sum(parts.map((part) => part.total))];
  const layers = parts.length === 1 ? '1 layer' : `${parts.length} layers`;
  return `${layers}  ${megabytes(current)} of ${megabytes(total)}`;
}

export function megabytes(bytes: number): string {
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
