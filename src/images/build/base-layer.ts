import { execFile } from 'node:child_process';
import { open, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { buildErrors } from './errors.ts';
import type { LayerBlobs, LayerCache, WrittenLayer } from './layer-writer.ts';
import { writeLayer } from './layer-writer.ts';
import { sortEntries } from './source-tree.ts';
import type { TarEntry } from './tar-writer.ts';

/** Where Node lies in a base made here. */
export const nodePath = 'usr/local/bin/node';
export const nonrootId = 65_532;

export interface BaseLayer extends WrittenLayer {
  readonly hasShell: boolean;
}

interface Host {
  /** Real path of the Node binary. */
  readonly node: string;
  /** Real path of a static busybox. */
  readonly busybox: string | undefined;
  readonly certificates: string | undefined;
}

const busyboxPath = '/bin/busybox';
const certificatesPath = '/etc/ssl/certs/ca-certificates.crt';

/** Links to busybox: what start scripts and people who look into a container use. */
const applets =
  'ash awk basename cat chmod chown clear cp cut date df dirname du echo env expr false find free grep gunzip gzip head hostname id kill less ln ls md5sum mkdir mktemp more mv nc nslookup od pgrep ping pkill printenv printf ps pwd readlink realpath rm rmdir sed seq sh sha256sum sleep sort stat tail tar tee test time timeout top touch tr true tty uname uniq vi wc wget which whoami xargs yes'.split(
    ' ',
  );

/**
 * The base made of this machine's Node: its binary, the shared libraries it needs, users, certificates and, when the machine has a
 * static busybox, a shell. Made anew only when one of these changes; otherwise found in `cache` without reading the binary.
 */
export async function makeBaseLayer(binary: string, blobs: LayerBlobs, cache: LayerCache, signal: AbortSignal): Promise<BaseLayer> {
  if (process.platform !== 'linux') throw buildErrors.hostUnsupported(`this is ${process.platform}, and images run on Linux`);
  const host = await inspectHost(binary);
  const hasShell = host.busybox !== undefined;
  const key = await fingerprint(host);
  const known = await cache.find(key);
  if (known !== undefined) return { ...known, hasShell };
  const written = await writeLayer(blobs, await baseEntries(host), signal);
  await cache.remember(key, written);
  return { ...written, hasShell };
}

async function inspectHost(binary: string): Promise<Host> {
  const node = await realpath(binary).catch((error: unknown) => {
    throw buildErrors.hostUnsupported(`${binary} is missing`, error);
  });
  const busybox = await realFile(busyboxPath);
  return {
    node,
    busybox: busybox !== undefined && (await isStatic(busybox)) ? busybox : undefined,
    certificates: await realFile(certificatesPath),
  };
}

async function realFile(path: string): Promise<string | undefined> {
  try {
    const real = await realpath(path);
    return (await stat(real)).isFile() ? real : undefined;
  } catch {
    return undefined;
  }
}

/** Changes whenever the base may: upgrading a library rewrites the dynamic loader's cache. */
async function fingerprint(host: Host): Promise<string> {
  const lines = ['base'];
  for (const path of [host.node, host.busybox, host.certificates, await realFile('/etc/ld.so.cache')]) {
    if (path === undefined) lines.push('-');
    else {
      const { size, mtimeNs, ino } = await stat(path, { bigint: true });
      lines.push(`${path} ${size} ${mtimeNs} ${ino}`);
    }
  }
  return lines.join('\n');
}

async function baseEntries(host: Host): Promise<readonly TarEntry[]> {
  const files: TarEntry[] = [await copyOf(host.node, nodePath, 0o755)];
  for (const [path, real] of await sharedLibraries(host.node)) files.push(await copyOf(real, path.slice(1), 0o755));
  if (host.certificates !== undefined) files.push(await copyOf(host.certificates, certificatesPath.slice(1), 0o644));
  if (host.busybox !== undefined) {
    files.push(await copyOf(host.busybox, busyboxPath.slice(1), 0o755));
    for (const name of applets) files.push({ type: 'symlink', path: `bin/${name}`, target: busyboxPath });
    // Where the first line of npm's executables looks for it.
    files.push({ type: 'symlink', path: 'usr/bin/env', target: busyboxPath });
  }
  files.push(
    text('etc/passwd', passwd()),
    text('etc/group', `root:x:0:\nnogroup:x:65534:\nnonroot:x:${nonrootId}:\n`),
    text('etc/nsswitch.conf', 'passwd: files\ngroup: files\nhosts: files dns\n'),
    { type: 'directory', path: 'tmp', mode: 0o1777 },
    { type: 'directory', path: 'var/tmp', mode: 0o1777 },
    { type: 'directory', path: 'root', mode: 0o700 },
    { type: 'directory', path: 'home/nonroot', mode: 0o755, owner: nonrootId },
    ...['app', 'dev', 'proc', 'run', 'sys'].map((path): TarEntry => ({ type: 'directory', path, mode: 0o755 })),
  );
  return withParents(files);
}

function passwd(): string {
  return [
    'root:x:0:0:root:/root:/bin/sh',
    'nobody:x:65534:65534:nobody:/nonexistent:/bin/false',
    `nonroot:x:${nonrootId}:${nonrootId}:nonroot:/home/nonroot:/bin/sh`,
    '',
  ].join('\n');
}

function text(path: string, content: string): TarEntry {
  return { type: 'file', path, mode: 0o644, content: Buffer.from(content) };
}

async function copyOf(file: string, path: string, mode: number): Promise<TarEntry> {
  return { type: 'file', path, mode, content: { file, sizeBytes: (await stat(file)).size } };
}

function withParents(entries: readonly TarEntry[]): readonly TarEntry[] {
  const byPath = new Map(entries.map((entry) => [entry.path, entry]));
  for (const { path } of entries) {
    for (let parent = dirname(path); parent !== '.' && !byPath.has(parent); parent = dirname(parent)) {
      byPath.set(parent, { type: 'directory', path: parent, mode: 0o755 });
    }
  }
  return sortEntries([...byPath.values()]);
}

/** glibc opens these by name when a program looks up a host, so ldd does not list them. */
const nameServiceLibraries = ['libnss_files.so.2', 'libnss_dns.so.2', 'libresolv.so.2'];

/** Paths the binary's loader looks for, the loader's own included, each with the real file. */
async function sharedLibraries(binary: string): Promise<ReadonlyMap<string, string>> {
  const libraries = new Map<string, string>();
  if (await isStatic(binary)) return libraries;
  const output = await promisify(execFile)('ldd', [binary], { env: { ...process.env, LC_ALL: 'C' } }).catch((error: unknown) => {
    throw buildErrors.hostUnsupported(`ldd ${binary} failed`, error);
  });
  for (const path of parseLdd(output.stdout)) {
    libraries.set(path, await realpath(path));
    if (!basename(path).startsWith('libc.so')) continue;
    for (const name of nameServiceLibraries) {
      const real = await realFile(join(dirname(path), name));
      if (real !== undefined) libraries.set(join(dirname(path), name), real);
    }
  }
  return libraries;
}

/** The files of ldd's output: `libc.so.6 => /lib/libc.so.6 (0x…)` and the loader's `/lib64/ld-linux.so.2 (0x…)`. */
export function parseLdd(output: string): readonly string[] {
  const paths = new Set<string>();
  for (const line of output.split('\n')) {
    if (line.includes('=> not found')) throw buildErrors.hostUnsupported(`Node's library ${line.trim().split(' ')[0]} is missing`);
    const path = /(?:^|=>)\s*(\/.+) \(0x[0-9a-f]+\)$/.exec(line.trim())?.[1];
    if (path !== undefined) paths.add(path);
  }
  return [...paths];
}

/** An ELF file without a program interpreter needs no loader and no libraries. */
async function isStatic(file: string): Promise<boolean> {
  const handle = await open(file, 'r');
  try {
    const header = Buffer.alloc(64);
    await handle.read(header, 0, header.length, 0);
    const little64 = header.readUInt32BE(0) === 0x7f454c46 && header[4] === 2 && header[5] === 1;
    // Not an ELF file of the machines Node supports, maybe a script: better left out than copied broken.
    if (!little64) return false;
    const at = Number(header.readBigUInt64LE(32));
    const entryBytes = header.readUInt16LE(54);
    const table = Buffer.alloc(entryBytes * header.readUInt16LE(56));
    await handle.read(table, 0, table.length, at);
    const interpreterType = 3;
    for (let offset = 0; offset + 4 <= table.length; offset += entryBytes) {
      if (table.readUInt32LE(offset) === interpreterType) return false;
    }
    return true;
  } finally {
    await handle.close();
  }
}
