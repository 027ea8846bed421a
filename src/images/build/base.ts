import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, realpath, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { UserError } from '#core/errors.ts';
import { digestOf } from '../store/blob-store.ts';
import type { BlobInfo, BlobStore } from '../store/blob-store.ts';
import { readJsonFile } from '../store/json-file.ts';
import { type LayerEntry, writeLayer } from './layer-writer.ts';
import { sharedLibraries } from './shared-libraries.ts';

const run = promisify(execFile);
const certificates = ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt', '/etc/ssl/cert.pem'];

export interface BaseLayer extends BlobInfo {
  readonly hasShell: boolean;
}

interface BaseOptions {
  /** Where to remember which files gave which layer. */
  readonly directory: string;
  readonly blobs: BlobStore;
  readonly nodeBinary: string;
  readonly busybox?: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The layer under every image built without a base: this machine's Node, the libraries it needs, users, CA certificates and, where the
 * machine has busybox, a shell. Made once for each state of these files.
 */
export async function baseLayer(options: BaseOptions): Promise<BaseLayer> {
  if (process.platform !== 'linux') {
    throw new UserError('cannot make a base image from the Node of this machine, because it is not Linux', {
      hint: 'name one with --base',
    });
  }
  const busybox = options.busybox ?? '/bin/busybox';
  const programs = [
    { source: await realpath(options.nodeBinary), path: 'usr/local/bin/node' },
    ...(existsSync(busybox) ? [{ source: await realpath(busybox), path: 'bin/busybox' }] : []),
  ];
  const libraries = new Set<string>();
  for (const { source } of programs) for (const library of await sharedLibraries(source)) libraries.add(library);
  const certificate = certificates.find((path) => existsSync(path));
  const files = [
    ...programs,
    ...[...libraries].map((path) => ({ source: path, path: path.slice(1) })),
    ...(certificate === undefined ? [] : [{ source: certificate, path: 'etc/ssl/certs/ca-certificates.crt' }]),
  ];
  const hasShell = programs.length > 1;
  const key = await cacheKey(files);
  const cached = await readJsonFile<BlobInfo>(join(options.directory, `base-${key}.json`)).catch(() => undefined);
  if (cached !== undefined && (await options.blobs.size(cached.digest)) !== undefined) return { ...cached, hasShell };
  const entries = [...systemFiles(), ...(await fileEntries(files, new Set(libraries))), ...(hasShell ? await applets(busybox) : [])];
  const written = await writeLayer(options.blobs, entries, options.signal);
  await mkdir(options.directory, { recursive: true });
  const target = join(options.directory, `base-${key}.json`);
  await writeFile(`${target}.new`, JSON.stringify(written));
  await rename(`${target}.new`, target);
  return { ...written, hasShell };
}

type BaseFile = { readonly source: string; readonly path: string };

async function cacheKey(files: readonly BaseFile[]): Promise<string> {
  const parts = await Promise.all(
    files.map(async ({ source, path }) => {
      const { size, mtimeMs, ino } = await stat(source);
      return [path, source, size, mtimeMs, ino];
    }),
  );
  return digestOf(JSON.stringify(['base 2', parts])).slice('sha256:'.length, 'sha256:'.length + 32);
}

async function fileEntries(files: readonly BaseFile[], libraries: ReadonlySet<string>): Promise<readonly LayerEntry[]> {
  return Promise.all(
    files.map(async ({ source, path }): Promise<LayerEntry> => {
      const { size } = await stat(source);
      const executable = path.includes('bin/') || libraries.has(source);
      return { type: 'file', path, source, sizeBytes: size, executable };
    }),
  );
}

async function applets(busybox: string): Promise<readonly LayerEntry[]> {
  const { stdout } = await run(busybox, ['--list-full']);
  const names = stdout.split('\n').filter((name) => /^(usr\/)?s?bin\/[\w[.-]+$/.test(name) && name !== 'bin/busybox');
  return [...new Set([...names, 'bin/sh', 'usr/bin/env'])].map((path) => ({ type: 'symlink', path, target: '/bin/busybox' }));
}

function systemFiles(): readonly LayerEntry[] {
  const text = (path: string, content: string): LayerEntry => ({ type: 'bytes', path, bytes: Buffer.from(content) });
  return [
    text(
      'etc/passwd',
      'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\nnonroot:x:65532:65532:nonroot:/home/nonroot:/bin/sh\n',
    ),
    text('etc/group', 'root:x:0:\ntty:x:5:\nnogroup:x:65534:\nnonroot:x:65532:\n'),
    text('etc/nsswitch.conf', 'passwd: files\ngroup: files\nhosts: files dns\n'),
    text('etc/os-release', 'ID=dormouse\nNAME="Dormouse base"\nPRETTY_NAME="Dormouse base: the Node of the machine"\n'),
    { type: 'directory', path: 'tmp', mode: 0o1777 },
    { type: 'directory', path: 'var/tmp', mode: 0o1777 },
    { type: 'directory', path: 'root', mode: 0o700 },
    { type: 'directory', path: 'home/nonroot', mode: 0o755, owner: 65_532 },
    { type: 'directory', path: 'proc' },
    { type: 'directory', path: 'sys' },
    { type: 'directory', path: 'dev' },
    { type: 'directory', path: 'app' },
  ];
}
