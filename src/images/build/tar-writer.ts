import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { buildErrors } from './errors.ts';

/** Content that is read when its turn comes. Not followed when it is a symbolic link by then. */
export interface FileSource {
  readonly file: string;
  readonly sizeBytes: number;
}

/** One entry of a layer. `path` is relative, without a trailing slash. Owner is root unless `owner` (uid and gid) says otherwise. */
export type TarEntry =
  | { readonly type: 'directory'; readonly path: string; readonly mode: number; readonly owner?: number }
  | { readonly type: 'symlink'; readonly path: string; readonly target: string }
  | { readonly type: 'file'; readonly path: string; readonly mode: number; readonly content: Buffer | FileSource };

const blockBytes = 512;
const chunkBytes = 1 << 18;
/** What eleven octal digits hold; larger sizes go into a PAX record. */
const maxOctalSize = 0o77777777777;

/**
 * A POSIX.1-2001 archive of `entries`, in their order, as chunks of about 256 KiB. The same entries give the same bytes: times are 0
 * and owners have no names. Reads one file at a time; holds a chunk, never a file.
 */
export async function* writeTar(entries: Iterable<TarEntry>, signal: AbortSignal): AsyncGenerator<Buffer> {
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  for await (const piece of pieces(entries)) {
    signal.throwIfAborted();
    pending.push(piece);
    pendingBytes += piece.length;
    if (pendingBytes < chunkBytes) continue;
    yield pending.length === 1 ? piece : Buffer.concat(pending, pendingBytes);
    pending = [];
    pendingBytes = 0;
  }
  yield Buffer.concat(pending, pendingBytes);
}

async function* pieces(entries: Iterable<TarEntry>): AsyncGenerator<Buffer> {
  for (const entry of entries) {
    yield headerOf(entry);
    if (entry.type !== 'file') continue;
    if (Buffer.isBuffer(entry.content)) yield entry.content;
    else if (entry.content.sizeBytes > 0) yield* contentOf(entry.content);
    yield paddingAfter(sizeOf(entry));
  }
  yield Buffer.alloc(2 * blockBytes);
}

async function* contentOf({ file, sizeBytes }: FileSource): AsyncGenerator<Buffer> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'ENOENT' || error.code === 'ELOOP'
      ? buildErrors.sourceChanged(file, error)
      : buildErrors.sourceUnreadable(file, error);
  });
  try {
    for (let left = sizeBytes; left > 0;) {
      const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(Math.min(left, chunkBytes)), 0);
      if (bytesRead === 0) throw buildErrors.sourceChanged(file);
      left -= bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await handle.close();
  }
}

function sizeOf(entry: TarEntry): number {
  if (entry.type !== 'file') return 0;
  return Buffer.isBuffer(entry.content) ? entry.content.length : entry.content.sizeBytes;
}

function paddingAfter(sizeBytes: number): Buffer {
  return Buffer.alloc((blockBytes - (sizeBytes % blockBytes)) % blockBytes);
}

/** The header block, preceded by a PAX header for what does not fit into its fields. */
function headerOf(entry: TarEntry): Buffer {
  const path = entry.type === 'directory' ? `${entry.path}/` : entry.path;
  const link = entry.type === 'symlink' ? entry.target : '';
  const size = sizeOf(entry);
  const records: string[] = [];
  if (!fits(path)) records.push(paxRecord('path', path));
  if (!fits(link)) records.push(paxRecord('linkpath', link));
  if (size > maxOctalSize) records.push(paxRecord('size', String(size)));
  const own = block({
    path: fits(path) ? path : 'long-name',
    link: fits(link) ? link : '',
    mode: entry.type === 'symlink' ? 0o777 : entry.mode,
    owner: entry.type === 'directory' ? (entry.owner ?? 0) : 0,
    size: size > maxOctalSize ? 0 : size,
    flag: { file: '0', symlink: '2', directory: '5' }[entry.type],
  });
  if (records.length === 0) return own;
  const body = Buffer.from(records.join(''));
  const pax = block({ path: 'PaxHeader', link: '', mode: 0o644, owner: 0, size: body.length, flag: 'x' });
  return Buffer.concat([pax, body, paddingAfter(body.length), own]);
}

/** ustar's name and link fields hold 100 bytes; anything but ASCII has no defined meaning there. */
function fits(name: string): boolean {
  return name.length <= 100 && /^[\x20-\x7e]*$/.test(name);
}

/** `"%d %s=%s\n"`, where the number counts its own digits too. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  const restBytes = Buffer.byteLength(rest);
  let length = restBytes;
  while (length !== restBytes + String(length).length) length = restBytes + String(length).length;
  return `${length}${rest}`;
}

interface HeaderFields {
  readonly path: string;
  readonly link: string;
  readonly mode: number;
  readonly owner: number;
  readonly size: number;
  readonly flag: string;
}

function block(fields: HeaderFields): Buffer {
  const header = Buffer.alloc(blockBytes);
  const octal = (value: number, at: number, digits: number): void => {
    header.write(value.toString(8).padStart(digits, '0'), at, 'latin1');
  };
  header.write(fields.path, 0, 'latin1');
  octal(fields.mode, 100, 7);
  octal(fields.owner, 108, 7);
  octal(fields.owner, 116, 7);
  octal(fields.size, 124, 11);
  octal(0, 136, 11);
  header.fill(' ', 148, 156);
  header.write(fields.flag, 156, 'latin1');
  header.write(fields.link, 157, 'latin1');
  header.write('ustar\x0000', 257, 'latin1');
  octal(0, 329, 7);
  octal(0, 337, 7);
  octal(
    header.reduce((sum, byte) => sum + byte, 0),
    148,
    6,
  );
  header[154] = 0;
  return header;
}
