import { type Readable, pipeline } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';

/**
 * The stream's content, decompressed when its first bytes say gzip or zstd. Media types are not trusted: `docker save` and some
 * registries mislabel. Errors of the source reach the result.
 */
export async function decompressed(source: Readable): Promise<Readable> {
  const head = await firstBytes(source);
  if (head.length >= 2 && head[0] === 0x1f && head[1] === 0x8b) return through(source, createGunzip());
  if (head.length >= 4 && head.readUInt32LE(0) === 0xfd2fb528) return through(source, createZstdDecompress());
  return source;
}

function through(source: Readable, decoder: NodeJS.ReadWriteStream): Readable {
  // Both ends learn of an error; the reader of the result sees it.
  pipeline(source, decoder, () => {});
  return decoder as unknown as Readable;
}

async function firstBytes(source: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for (let size = 0; size < 4;) {
    const chunk = await nextChunk(source);
    if (chunk === undefined) break;
    chunks.push(chunk);
    size += chunk.length;
  }
  const head = Buffer.concat(chunks);
  if (head.length > 0) source.unshift(head);
  return head;
}

/** The next piece without switching the stream to flowing; undefined at its end. */
function nextChunk(source: Readable): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    const cleanUp = () => {
      source.off('readable', onReadable).off('end', onEnd).off('error', onError).off('close', onEnd);
    };
    const onReadable = () => {
      const chunk = source.read() as Buffer | null;
      if (chunk === null) return;
      cleanUp();
      resolve(chunk);
    };
    const onEnd = () => {
      cleanUp();
      resolve(undefined);
    };
    const onError = (error: Error) => {
      cleanUp();
      reject(error);
    };
    if (source.errored) return reject(source.errored);
    if (source.readableEnded || source.destroyed) return resolve(undefined);
    source.on('readable', onReadable).on('end', onEnd).on('error', onError).on('close', onEnd);
    onReadable();
  });
}
