import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { after, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { systemClock } from '#core/clock.ts';
import { UserError } from '#core/errors.ts';
import { silentLogger } from '#core/logger.ts';
import { type ImageStore, openImageStore } from '../image-store.ts';
import type { BuildRequest, ImageProgress } from '../messages.ts';
import { type ImageConfigFile, type ImageManifest } from '../oci.ts';
import { missingProgram, openMachine } from '../testing.ts';
import { buildImage } from './build-image.ts';

const root = mkdtempSync(join(tmpdir(), 'dormouse-build-'));
const signal = AbortSignal.timeout(120_000);
const isRoot = process.getuid?.() === 0;
const children: ChildProcess[] = [];
let store: ImageStore | undefined;

async function theStore(): Promise<ImageStore> {
  return (store ??= await openImageStore({ directory: join(root, 'store'), rootless: !isRoot, clock: systemClock, logger: silentLogger }));
}

function project(name: string, files: Readonly<Record<string, string>>): string {
  for (const [file, content] of Object.entries(files)) {
    mkdirSync(join(root, name, file, '..'), { recursive: true });
    writeFileSync(join(root, name, file), content);
  }
  return join(root, name);
}

async function build(directory: string, more: Partial<BuildRequest> = {}) {
  const messages: string[] = [];
  const onProgress = (progress: ImageProgress): void => {
    if (progress.type === 'status') messages.push(progress.message);
  };
  const opened = await theStore();
  const { digest } = await buildImage({ directory, tags: ['test:1'], ...more }, { store: opened, signal, onProgress });
  const manifest = JSON.parse(String(await opened.blobs.read(digest))) as ImageManifest;
  const config = JSON.parse(String(await opened.blobs.read(manifest.config.digest))) as ImageConfigFile;
  return { digest, layers: manifest.layers.map((layer) => layer.digest), config: config.config ?? {}, messages, blobs: opened.blobs };
}

type Built = Awaited<ReturnType<typeof build>>;

function names({ blobs }: Built, layer: string | undefined): readonly string[] {
  return execFileSync('tar', ['-tf', blobs.path(layer ?? '')], { encoding: 'utf8' })
    .trim()
    .split('\n');
}

/** Starts the image in a chroot as its own user and gives its address, once it answers. */
async function start(built: Built): Promise<string> {
  const directory = mkdtempSync(join(root, 'rootfs-'));
  chmodSync(directory, 0o755);
  for (const layer of built.layers) execFileSync('tar', ['-xpf', built.blobs.path(layer), '-C', directory]);
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  const environment = Object.fromEntries(
    (built.config.Env ?? []).map((line) => [line.split('=', 1)[0], line.slice(line.indexOf('=') + 1)]),
  );
  const shell = ['/bin/busybox', 'sh', '-c', `cd ${built.config.WorkingDir} && exec "$@"`, 'sh'];
  const argv = ['--userspec', built.config.User ?? '', directory, ...shell, ...(built.config.Entrypoint ?? [])];
  // The user's shell is where chroot itself is found; the program gets the image's environment.
  const child = spawn('/usr/sbin/chroot', argv, { env: { ...environment, PORT: String(port) }, stdio: 'inherit' });
  children.push(child);
  const url = `http://127.0.0.1:${port}`;
  while (child.exitCode === null) {
    signal.throwIfAborted();
    if (
      await fetch(url).then(
        () => true,
        () => false,
      )
    )
      return url;
    await delay(50);
  }
  throw new Error(`the container ended with exit code ${child.exitCode}`);
}

const withoutNpm = missingProgram('npm');
const unrunnable = !isRoot
  ? 'needs root for chroot'
  : !existsSync('/bin/busybox')
    ? 'needs busybox'
    : !existsSync('/usr/sbin/chroot') && 'needs chroot';

describe('a build', () => {
  after(async () => {
    for (const child of children) child.kill('SIGKILL');
    await store?.[Symbol.asyncDispose]();
    rmSync(root, { recursive: true, force: true });
  });

  it('gives the same digest for the same source and a new code layer for new code', async () => {
    const directory = join(root, 'hello');
    cpSync(join(import.meta.dirname, '../../../examples/helloworld-nodejs'), directory, { recursive: true });
    const first = await build(directory);
    const copy = join(root, 'hello-copy');
    cpSync(directory, copy, { recursive: true });
    assert.equal((await build(copy)).digest, first.digest);
    writeFileSync(join(copy, 'more.js'), '');
    const changed = await build(copy);
    assert.notEqual(changed.digest, first.digest);
    assert.deepEqual(
      changed.layers.map((layer) => first.layers.includes(layer)),
      [true, false],
    );
  });

  it('gives the same digest whatever the times, modes and order of the files, and whoever builds', async () => {
    const files = { 'index.js': 'a', 'lib/a.js': 'b', 'lib/b.js': 'c', 'bin/run': 'd' };
    const one = project('one', files);
    const two = project('two', Object.fromEntries(Object.entries(files).reverse()));
    for (const file of Object.keys(files)) utimesSync(join(two, file), 1000, 1000);
    chmodSync(join(two, 'lib'), 0o700);
    chmodSync(join(two, 'index.js'), 0o600);
    const { digest } = await build(one);
    assert.equal((await build(two)).digest, digest);
    const other = await openMachine(join(root, 'another-store'));
    assert.equal((await other.images.build({ directory: one, tags: ['x:1'] })).digest, digest);
    chmodSync(join(two, 'bin/run'), 0o755);
    assert.notEqual((await build(two)).digest, digest, 'what may be executed is part of the content');
    await other[Symbol.asyncDispose]();
  });

  it('is pushed again with nothing but the code that changed', async () => {
    const directory = project('pushed', { 'index.js': '1', 'package.json': '{}', 'node_modules/a/index.js': 'a' });
    await using here = await openMachine(join(root, 'pushing'));
    await using there = await openMachine(join(root, 'receiving'));
    const push = async (code: string) => {
      writeFileSync(join(directory, 'index.js'), code);
      const { digest } = await here.images.build({ directory, tags: ['app:1'] });
      const layers: string[] = [];
      await here.images.push({ source: 'app:1', target: `${there.host}/app:1` }, (progress) => {
        if (progress.type === 'layer' && ['done', 'exists'].includes(progress.state)) layers.push(progress.state);
      });
      assert.equal(await there.images.resolve(`${there.host}/app:1`, []), `${there.host}/app@${digest}`);
      return layers;
    };
    // Configuration, then base, dependencies and code.
    assert.deepEqual(await push('1'), ['done', 'done', 'done', 'done']);
    assert.deepEqual(await push('2'), ['done', 'exists', 'exists', 'done']);
    assert.deepEqual(await push('2'), ['exists', 'exists', 'exists', 'exists']);
  });

  it('installs what the lock file of a TypeScript project names, once, without what is for development', { skip: withoutNpm }, async () => {
    const packed = pack();
    packed.entry({ name: 'package/package.json' }, '{"name":"greet","version":"1.0.0","main":"index.js"}');
    packed.entry({ name: 'package/index.js' }, 'exports.greet = (name) => "hello " + name;');
    packed.finalize();
    const tarball = gzipSync(await buffer(packed));
    let downloads = 0;
    const packages = createHttpServer((_, response) => {
      downloads += 1;
      response.end(tarball);
    }).listen(0, '127.0.0.1');
    await once(packages, 'listening');
    const resolved = `http://127.0.0.1:${(packages.address() as AddressInfo).port}/greet-1.0.0.tgz`;
    const integrity = `sha512-${createHash('sha512').update(tarball).digest('base64')}`;
    const wanted = { dependencies: { greet: '1.0.0' }, devDependencies: { absent: '1.0.0' } };
    const lock = {
      lockfileVersion: 3,
      packages: {
        '': wanted,
        'node_modules/absent': { version: '1.0.0', resolved: 'http://127.0.0.1:1/absent.tgz', integrity: 'sha512-AAAA', dev: true },
        'node_modules/greet': { version: '1.0.0', resolved, integrity },
      },
    };
    const server = (name: string) => `import { createServer } from 'node:http';
      import greetings from 'greet';
      const greet: (name: string) => string = greetings.greet;
      createServer((_, response) => response.end(greet('${name}'))).listen(Number(process.env.PORT));`;
    const directory = project('installed', {
      'package.json': JSON.stringify({ type: 'module', scripts: { start: 'node src/server.ts' }, ...wanted }),
      'package-lock.json': JSON.stringify(lock),
      'src/server.ts': server('you'),
    });
    const first = await build(directory);
    assert.ok(names(first, first.layers[1]).includes('app/node_modules/greet/index.js'));
    assert.ok(!names(first, first.layers[1]).some((name) => name.includes('absent')));
    writeFileSync(join(directory, 'src/server.ts'), server('all'));
    const second = await build(directory);
    assert.deepEqual(
      second.layers.map((layer) => first.layers.includes(layer)),
      [true, true, false],
    );
    assert.equal(downloads, 1);
    packages.close();
    if (unrunnable === false) assert.equal(await (await fetch(await start(second))).text(), 'hello all');
  });

  it('keeps dependencies in a layer of their own, out of the code, and the ignored out of both', async () => {
    const files = { 'index.ts': '', 'package.json': '{}', '.dockerignore': 'secret\n', 'secret/key': '', '.git/HEAD': '' };
    const directory = project('layers', { ...files, 'node_modules/a/index.js': '', 'sub/node_modules/b/index.js': '', 'sub/c.js': '' });
    symlinkSync('/etc/shadow', join(directory, 'outside'));
    symlinkSync('../../x', join(directory, 'sub/above'));
    symlinkSync('index.ts', join(directory, 'inside'));
    const built = await build(directory);
    const filesOf = (layer: string | undefined) => names(built, layer).filter((name) => !name.endsWith('/'));
    assert.deepEqual(filesOf(built.layers[1]), ['app/node_modules/a/index.js', 'app/sub/node_modules/b/index.js']);
    assert.deepEqual(filesOf(built.layers[2]), ['app/index.ts', 'app/inside', 'app/package.json', 'app/sub/c.js']);
    assert.equal(built.messages.filter((message) => message.startsWith('left out')).length, 2);
  });

  it('puts the request into the configuration, one line a variable', async () => {
    const directory = project('config', { 'package.json': '{}', 'server.js': '' });
    const { config } = await build(directory, { environment: ['NODE_ENV=test', 'A=b=c'], labels: { a: 'b' }, command: ['node', '-v'] });
    assert.deepEqual(
      config.Env?.filter((line) => !line.startsWith('PATH=')),
      ['NODE_ENV=test', 'A=b=c'],
    );
    assert.deepEqual(config.Entrypoint, ['node', '-v']);
    assert.deepEqual(config.Labels, { a: 'b' });
    assert.deepEqual(config.ExposedPorts, { '8080/tcp': {} });
  });

  it('refuses what it cannot build with a hint', async () => {
    const refused = async (directory: string, text: RegExp, more: Partial<BuildRequest> = {}): Promise<void> => {
      await assert.rejects(build(directory, more), (error) => error instanceof UserError && text.test(error.message));
    };
    await refused(join(root, 'absent'), /absent: there is no such file or directory/);
    await refused(project('docker', { Dockerfile: 'FROM scratch' }), /has a Dockerfile and no Node program/);
    await refused(project('nothing', { 'a.txt': '' }), /no package.json.*index.html/);
    await refused(
      project('unbuilt', { 'package.json': '{"scripts":{"start":"node dist/a.js"}}' }),
      /runs dist\/a.js, which does not exist/,
    );
    await refused(project('unlocked', { 'package.json': '{"dependencies":{"a":"1"}}', 'index.js': '' }), /neither node_modules nor/);
    await refused(project('broken', { 'package.json': '{' }), /not JSON/);
    await refused(project('variable', { 'package.json': '{}', 'index.js': '' }), /not KEY=value/, { environment: ['x'] });
  });

  it('runs a Node program and a TypeScript one as nobody in particular', { skip: unrunnable }, async () => {
    const server = (answer: string) => `import { createServer } from 'node:http';
      createServer((_, response) => response.end(${answer})).listen(Number(process.env.PORT));`;
    const script = project('script', { 'package.json': '{"type":"module"}', 'server.js': server('String(process.getuid())') });
    assert.equal(await (await fetch(await start(await build(script)))).text(), '65532');
    const typed = project('typed', { 'package.json': '{"type":"module"}', 'server.ts': server('"typed" satisfies string') });
    assert.equal(await (await fetch(await start(await build(typed)))).text(), 'typed');
    const shell = project('shell', {
      'package.json': '{"type":"module","scripts":{"start":"WHO=shell node server.js"}}',
      'server.js': server('process.env.WHO'),
    });
    assert.equal(await (await fetch(await start(await build(shell)))).text(), 'shell');
  });

  it('serves a static site, and nothing outside or hidden', { skip: unrunnable }, async () => {
    const directory = project('site', { 'index.html': '<p>hi', 'docs/index.html': 'docs', 'a b.css': 'p{}', '.env': 'SECRET' });
    const url = await start(await build(directory));
    const get = async (path: string, method = 'GET') => {
      const response = await fetch(url + path, { method });
      return [response.status, response.headers.get('content-type'), await response.text()];
    };
    assert.deepEqual(await get('/'), [200, 'text/html; charset=utf-8', '<p>hi']);
    assert.deepEqual(await get('/', 'HEAD'), [200, 'text/html; charset=utf-8', '']);
    assert.deepEqual(await get('/a%20b.css?x'), [200, 'text/css; charset=utf-8', 'p{}']);
    assert.equal((await get('/docs/'))[2], 'docs');
    for (const path of ['/.env', '/%2eenv', '/none', '/..%2fserver.mjs', '/..%2f..%2fetc%2fpasswd'])
      assert.equal((await get(path))[0], 404, path);
    assert.equal((await get('/%ff'))[0], 400);
    assert.equal((await get('/', 'POST'))[0], 405);
  });
});
