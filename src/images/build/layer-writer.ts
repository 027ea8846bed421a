import { createReadStream } from 'node:fs';
import type { Pack } from 'tar-stream';
import type { BlobInfo, BlobStore } from '../store/blob-store.ts';

/** One entry of a layer. Owner, times and everything else that differs between machines are fixed, so that equal sources give equal digests. */
export type LayerEntry =
  | { readonly type: 'directory'; readonly path: string; readonly mode?: number; readonly owner?: number }
  | { readonly type: 'symlink'; readonly path: string; readonly target: string }
  | { readonly type: 'bytes'; readonly path: string; readonly bytes: Buffer; readonly mode?: number }
  | { readonly type: 'file'; readonly path: string; readonly source: string; readonly sizeBytes: number; readonly executable: boolean };

const epoch = new Date(0);

/**
 * Writes entries, sorted by path with their parent directories added, as an uncompressed layer into the store: hashing and writing a Node
 * binary takes a fraction of a second, compressing it seconds.
 */
export async function writeLayer(blobs: BlobStore, entries: readonly LayerEntry[], signal?: AbortSignal): Promise<BlobInfo> {
  const { pack: newPack } = await import('tar-stream');
  const pack = newPack({ highWaterMark: 1 << 17 });
  const filled = fill(pack, withParents(entries), signal).then(
    () => pack.finalize(),
    (error: unknown) => pack.destroy(error as Error),
  );
  const [written] = await Promise.all([blobs.write(pack as unknown as AsyncIterable<Buffer>), filled]);
  return written;
}

function withParents(entries: readonly LayerEntry[]): readonly LayerEntry[] {
  const byPath = new Map<string, LayerEntry>();
  for (const entry of entries) {
    for (let slash = entry.path.indexOf('/'); slash >= 0; slash = entry.path.indexOf('/', slash + 1)) {
      const parent = entry.path.slice(0, slash);
      if (!byPath.has(parent)) byPath.set(parent, { type: 'directory', path: parent });
    }
    byPath.set(entry.path, entry);
  }
  return [...byPath.values()].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

async function fill(pack: Pack, entries: readonly LayerEntry[], signal: AbortSignal | undefined): Promise<void> {
  for (const entry of entries) {
    signal?.throwIfAborted();
    const fixed = { name: entry.path, uid: 0, gid: 0, mtime: epoch, uname: '', gname: '' };
    switch (entry.type) {
      case 'directory':
        pack.entry({
          ...fixed,
          name: `${entry.path}/`,
          type: 'directory',
          mode: entry.mode ?? 0o755,
          uid: entry.owner ?? 0,
          gid: entry.owner ?? 0,
        });
        break;
      case 'symlink':
        pack.entry({ ...fixed, type: 'symlink', linkname: entry.target, mode: 0o777 });
        break;
      case 'bytes':
        pack.entry({ ...fixed, type: 'file', mode: entry.mode ?? 0o644 }, entry.bytes);
        break;
      case 'file':
        await fillFile(pack, { ...fixed, type: 'file', mode: entry.executable ? 0o755 : 0o644, size: entry.sizeBytes }, entry);
    }
  }
}

async function fillFile(
  pack: Pack,
  header: Parameters<Pack['entry']>[0],
  { source, sizeBytes }: { source: string; sizeBytes: number },
): Promise<void> {
  if (sizeBytes === 0) {
    pack.entry(header, '');
    return;
  }
  const sink = pack.entry(header);
  // A file that grows meanwhile is cut at its announced size; one that shrinks makes the build fail.
  const reader = createReadStream(source, { highWaterMark: 1 << 17, end: sizeBytes - 1 });
  await new Promise<void>((resolve, reject) => {
    sink.on('error', reject).on('close', resolve).on('finish', resolve);
    reader.on('error', (error) => {
      sink.destroy();
      reject(error);
    });
    reader.pipe(sink);
  });
}
