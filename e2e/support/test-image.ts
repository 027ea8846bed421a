import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import type { TestPlatform } from './platform.ts';
import { findProgram } from './run.ts';

/** For `it(…, { skip })`: false, or why there can be no test image here. */
export const withoutTestImage: string | false = findProgram('busybox') === undefined ? 'busybox is not installed' : false;

const applets =
  'sh cat echo sleep tar ls mkdir rm head tail wc dd sha256sum stty true false env id kill nc wget httpd seq yes tty test date touch nslookup'.split(
    ' ',
  );

export interface TestImage {
  /** The processor the image says it is for; absent: this machine's. */
  readonly architecture?: string;
  /** Programs in /bin besides busybox. */
  readonly programs?: Readonly<Record<string, Buffer>>;
}

/** Makes a small image of this machine's busybox and loads it into the platform as `name`. */
export async function loadTestImage(platform: TestPlatform, name = 'test.local/busybox:1', image: TestImage = {}): Promise<string> {
  const file = join(platform.dataDir, 'test-image.tar');
  await writeImage(file, name, image);
  await platform.dormouse(['image', 'load', file]);
  return name;
}

/** An OCI image layout in a tar archive, as `skopeo copy … oci-archive:FILE` writes it. */
async function writeImage(file: string, name: string, { architecture, programs = {} }: TestImage): Promise<void> {
  const layerTar = await testLayer(programs);
  const layerGzip = gzipSync(layerTar, { level: 1 });
  const config = json({
    architecture: architecture ?? (process.arch === 'x64' ? 'amd64' : process.arch),
    os: 'linux',
    config: { Env: ['PATH=/bin'], Cmd: ['/bin/sh'], WorkingDir: '/' },
    rootfs: { type: 'layers', diff_ids: [digestOf(layerTar)] },
  });
  const manifest = json({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: descriptor('application/vnd.oci.image.config.v1+json', config),
    layers: [descriptor('application/vnd.oci.image.layer.v1.tar+gzip', layerGzip)],
  });
  const index = json({
    schemaVersion: 2,
    manifests: [
      {
        ...descriptor('application/vnd.oci.image.manifest.v1+json', manifest),
        annotations: { 'org.opencontainers.image.ref.name': name, 'io.containerd.image.name': name },
      },
    ],
  });
  const archive = pack();
  archive.entry({ name: 'oci-layout' }, json({ imageLayoutVersion: '1.0.0' }));
  archive.entry({ name: 'index.json' }, index);
  for (const blob of [layerGzip, config, manifest]) archive.entry({ name: `blobs/sha256/${digestOf(blob).slice(7)}` }, blob);
  archive.finalize();
  await pipeline(archive, createWriteStream(file));
}

/** A layer, not compressed, with busybox and these programs. */
export async function testLayer(programs: Readonly<Record<string, Buffer>>): Promise<Buffer> {
  const tar = pack();
  for (const directory of ['bin', 'etc', 'tmp', 'proc', 'sys', 'dev']) {
    tar.entry({ name: `${directory}/`, type: 'directory', mode: directory === 'tmp' ? 0o1777 : 0o755 });
  }
  tar.entry({ name: 'bin/busybox', mode: 0o755 }, await readFile(findProgram('busybox') ?? ''));
  for (const [name, bytes] of Object.entries(programs)) tar.entry({ name: `bin/${name}`, mode: 0o755 }, bytes);
  for (const applet of applets) tar.entry({ name: `bin/${applet}`, type: 'symlink', linkname: 'busybox' });
  tar.entry({ name: 'etc/passwd', mode: 0o644 }, 'root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n');
  tar.finalize();
  return buffer(tar);
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

function descriptor(mediaType: string, bytes: Uint8Array): { mediaType: string; digest: string; size: number } {
  return { mediaType, digest: digestOf(bytes), size: bytes.length };
}
