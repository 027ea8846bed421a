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

/** Prints progress: a line a step, layers only when they end. */
export function progressPrinter({ stdout }: Pick<Invocation, 'stdout'>, indent = ''): (progress: ImageProgress) => void {
  return (progress) => {
    if (progress.type === 'status') stdout.write(`${indent}${progress.message}\n`);
    else if (progress.type === 'layer' && (progress.state === 'done' || progress.state === 'exists')) {
      stdout.write(
        `${indent}${progress.digest.slice(7, 19)}  ${progress.state === 'done' ? 'done' : 'already there'}  ${megabytes(progress.totalBytes)}\n`,
      );
    }
  };
}

export function megabytes(bytes: number): string {
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
