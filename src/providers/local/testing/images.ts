import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, symlinkSync, writeFileSync, chmodSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type LocalImage, emptyImageConfig } from '#apis/runtime/image-service.ts';

const busybox = ['/bin/busybox', '/usr/bin/busybox'].find((path) => existsSync(path));

/** Why test images cannot be made here, or false. */
export const noTestImages: string | false = busybox === undefined ? 'busybox (static) is not installed' : false;

/** An image with busybox, a few users and two layers, made in `directory`. */
export function busyboxImage(directory: string): LocalImage {
  const [base, top] = [join(directory, 'base'), join(directory, 'top')];
  for (const path of ['bin', 'etc', 'tmp', 'home/app', 'var']) mkdirSync(join(base, path), { recursive: true });
  chmodSync(join(base, 'tmp'), 0o1777);
  copyFileSync(busybox ?? '', join(base, 'bin/busybox'));
  chmodSync(join(base, 'bin/busybox'), 0o755);
  const applets = execFileSync(busybox ?? '', ['--list'], { encoding: 'utf8' })
    .trim()
    .split('\n');
  for (const applet of applets.filter((name) => name !== 'busybox')) symlinkSync('busybox', join(base, 'bin', applet));
  writeFileSync(join(base, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\napp:x:1234:2345:App:/home/app:/bin/sh\n');
  writeFileSync(join(base, 'etc/group'), 'root:x:0:\napp:x:2345:\nextra:x:3456:app\n');
  symlinkSync('/nowhere/resolv.conf', join(base, 'etc/resolv.conf'));
  mkdirSync(top, { recursive: true });
  writeFileSync(join(top, 'layer.txt'), 'from the top layer\n');
  return imageOf([top, base]);
}

/** An image with this Node and the libraries it needs, and a hello-world server at /app/server.js (port 8080). */
export function nodeImage(directory: string): LocalImage {
  const root = join(directory, 'node');
  const put = (from: string, to = from) => {
    mkdirSync(dirname(join(root, to)), { recursive: true });
    copyFileSync(from, join(root, to));
  };
  put(process.execPath, '/usr/bin/node');
  chmodSync(join(root, 'usr/bin/node'), 0o755);
  const libraries = execFileSync('ldd', [process.execPath], { encoding: 'utf8' });
  for (const [library] of libraries.matchAll(/\/\S+\.so\S*/g)) put(library);
  mkdirSync(join(root, 'app'), { recursive: true });
  mkdirSync(join(root, 'tmp'), { recursive: true });
  const server = "require('node:http').createServer((_, res) => res.end('hello\\n')).listen(Number(process.env.PORT ?? 8080));\n";
  writeFileSync(join(root, 'app/server.js'), server);
  return imageOf([root]);
}

function imageOf(layers: readonly string[]): LocalImage {
  return {
    digest: `sha256:${'0'.repeat(64)}`,
    reference: `test@sha256:${'0'.repeat(64)}`,
    layers,
    config: emptyImageConfig,
    sizeBytes: 0,
    source: 'test',
  };
}
