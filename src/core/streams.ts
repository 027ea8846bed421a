import type { ListenOptions, Server } from 'node:net';
import type { Writable } from 'node:stream';

/** All bytes of a stream. Beyond `maxBytes` it throws what `tooLarge` makes, and the stream is destroyed. */
export async function readAll(
  source: AsyncIterable<Uint8Array>,
  maxBytes: number,
  tooLarge = (most: number): Error => new Error(`answer is larger than ${most} bytes`),
): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of source) {
    size += chunk.length;
    if (size > maxBytes) throw tooLarge(maxBytes);
    chunks.push(chunk);
  }
  const [first] = chunks;
  return chunks.length === 1 && Buffer.isBuffer(first) ? first : Buffer.concat(chunks);
}

/** After a write that was too much for now: resolves when the stream takes more, or never will. */
export function writable(target: Writable): Promise<void> {
  if (target.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      for (const event of ['drain', 'close', 'error']) target.off(event, done);
      resolve();
    };
    for (const event of ['drain', 'close', 'error']) target.on(event, done);
  });
}

/** Resolves when the server listens; rejects when it cannot. */
export function listening(server: Server, options: ListenOptions & { readonly fd?: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(options, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
