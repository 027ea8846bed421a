import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, describe, it } from 'node:test';
import type { ImageError } from '#apis/runtime/image-service.ts';
import { FakeClock, systemClock } from '#core/clock.ts';
import { silentLogger } from '#core/logger.ts';
import { openImageStore } from './image-store.ts';
import type { ImageProgress } from './messages.ts';
import { ImageClient } from './remote.ts';
import { digestOf } from './store/blob-store.ts';
import { ImageTools, openMachine, type TestMachine } from './testing.ts';

const root = mkdtempSync(join(tmpdir(), 'dormouse-images-'));
const tools = new ImageTools(join(root, 'tools'));
const closing: AsyncDisposable[] = [];
const signal = AbortSignal.timeout(120_000);
let count = 0;

async function machine(): Promise<TestMachine> {
  count += 1;
  const opened = await openMachine(join(root, `store-${count}`));
  closing.push(opened);
  return opened;
}

function project(name: string, files: Readonly<Record<string, string>>): string {
  const directory = join(root, name);
  for (const [file, content] of Object.entries(files)) {
    mkdirSync(join(directory, file, '..'), { recursive: true });
    writeFileSync(join(directory, file), content);
  }
  return directory;
}

async function http(method: string, url: string, body?: Buffer, headers: Record<string, string> = {}) {
  const response = await fetch(url, { method, headers, ...(body === undefined ? {} : { body: new Uint8Array(body) }) });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

describe('images', () => {
  after(async () => {
    for (const one of closing) await one[Symbol.asyncDispose]();
    rmSync(root, { recursive: true, force: true });
  });
  const app = project('app', {
    'package.json': '{"scripts":{"start":"node server.js"}}',
    'server.js': 'console.log(1)',
    'node_modules/x/index.js': '',
  });

  it('builds, runs under every policy without a registry, and says so', async () => {
    const { store, images } = await machine();
    const first = await images.build({ directory: app, tags: ['gcr.io/samples/x'] });
    const again = await images.build({ directory: app, tags: ['other:1'] });
    assert.equal(first.digest, again.digest);
    for (const policy of ['Always', 'IfNotPresent', 'Never'] as const) {
      const image = await store.ensure('gcr.io/samples/x', policy, [], signal);
      assert.equal(image.source, 'local store');
      assert.equal(image.reference, `gcr.io/samples/x@${first.digest}`);
      assert.deepEqual(image.config.entrypoint, ['node', 'server.js']);
      assert.ok(existsSync(join(image.layers[0] ?? '', 'app/server.js')));
      assert.ok(existsSync(join(image.layers.at(-1) ?? '', 'usr/local/bin/node')));
    }
    assert.equal(await images.resolve('gcr.io/samples/x', []), `gcr.io/samples/x@${first.digest}`);
    writeFileSync(join(app, 'server.js'), 'console.log(2)');
    const layersBefore = (await store.blobs.read(first.digest))?.toString() ?? '';
    const changed = await images.build({ directory: app, tags: ['other:2'] });
    const layers = (JSON.parse((await store.blobs.read(changed.digest))?.toString() ?? '') as { layers: { digest: string }[] }).layers;
    assert.deepEqual(
      layers.map(({ digest }) => layersBefore.includes(digest)),
      [true, true, false],
      'only the code is new',
    );
  });

  it('says what is wrong in the words of kubelet and containerd', async () => {
    const { store } = await machine();
    const fails = async (name: string, policy: 'Always' | 'Never', reason: ImageError['reason'], message: RegExp) =>
      assert.rejects(store.ensure(name, policy, [], signal), (error: ImageError) => error.reason === reason && message.test(error.message));
    await fails(
      'UPPER',
      'Always',
      'InvalidImageName',
      /^Failed to apply default image tag "UPPER": couldn't parse image name "UPPER": invalid reference format$/,
    );
    await fails('nope', 'Never', 'ErrImageNeverPull', /^Container image "nope" is not present with pull policy of Never$/);
    await fails(
      'localhost:1/x',
      'Always',
      'ErrImagePull',
      /^failed to pull and unpack image "localhost:1\/x:latest": failed to resolve reference .*connection refused$/,
    );
    await fails('no-such-host.invalid/x', 'Always', 'ErrImagePull', /lookup no-such-host.invalid: (no such host|temporary failure)/);
  });

  it('pulls from a registry with token authorization, pushes back, and selects the platform', async () => {
    const origin = await machine();
    const built = await origin.images.build({ directory: app, tags: [`localhost:${origin.port}/team/app:1`] });
    const guarded = createServer((request, response) => {
      const target = new URL(request.url ?? '/', 'http://x');
      if (target.pathname === '/token') {
        const good = request.headers.authorization === `Basic ${Buffer.from('me:pw').toString('base64')}`;
        response.writeHead(good ? 200 : 401).end(JSON.stringify({ token: good ? `t-${target.searchParams.get('scope')}` : '' }));
      } else if (!(request.headers.authorization ?? '').startsWith('Bearer t-repository:team/app:pull')) {
        const realm = `http://127.0.0.1:${(guarded.address() as AddressInfo).port}/token`;
        response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}",service="s"` }).end();
      } else {
        const { authorization: _, ...headers } = request.headers;
        const upstream = httpRequest(`${origin.url}${request.url}`, { method: request.method ?? 'GET', headers }, (answer) => {
          response.writeHead(answer.statusCode ?? 500, answer.headers);
          answer.pipe(response);
        });
        request.pipe(upstream);
      }
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => guarded.once('listening', resolve));
    closing.push({
      async [Symbol.asyncDispose]() {
        guarded.closeAllConnections();
        guarded.close();
      },
    });
    const host = `127.0.0.1:${(guarded.address() as AddressInfo).port}`;
    const here = await machine();
    await assert.rejects(
      here.store.ensure(`${host}/team/app:1`, 'Always', [], signal),
      /failed to authorize: failed to fetch anonymous token.*401/,
    );
    const credentials = [{ registry: host, username: 'me', password: 'pw' }];
    const [image, same] = await Promise.all([1, 2].map(() => here.store.ensure(`${host}/team/app:1`, 'Always', credentials, signal)));
    assert.equal(image?.digest, built.digest);
    assert.equal(image?.source, `registry ${host}`);
    assert.deepEqual(same?.layers, image?.layers);
    await assert.rejects(here.store.ensure(`${host}/team/app:none`, 'Always', credentials, signal), /team\/app:none: not found/);
    const progress: ImageProgress[] = [];
    const pushed = await here.images.push({ source: `${host}/team/app:1`, target: `${host}/team/app:2`, credentials }, (one) =>
      progress.push(one),
    );
    assert.equal(pushed.digest, built.digest);
    assert.equal(
      await origin.images.resolve(`localhost:${origin.port}/team/app:2`, []),
      `localhost:${origin.port}/team/app@${built.digest}`,
    );
    assert.ok(progress.some((one) => one.type === 'layer' && one.state === 'exists'));
  });

  it('speaks the registry protocol: chunks, ranges, mounts, pages, referrers, deletion', async () => {
    const { url } = await machine();
    const blob = Buffer.from('hello blob');
    const digest = digestOf(blob);
    const started = await http('POST', `${url}/v2/a/b/blobs/uploads/`);
    assert.equal(started.status, 202);
    const location = started.headers.get('location') ?? '';
    assert.equal((await http('PATCH', url + location, blob.subarray(0, 5), { 'content-range': '0-4' })).headers.get('range'), '0-4');
    assert.equal((await http('PATCH', url + location, blob.subarray(5), { 'content-range': '9-13' })).status, 416);
    assert.equal((await http('PATCH', url + location, blob.subarray(5), { 'content-range': '5-9' })).status, 202);
    assert.equal((await http('PUT', `${url}${location}?digest=sha256:${'0'.repeat(64)}`)).status, 400);
    assert.equal((await http('PUT', `${url}${location}?digest=${digest}`)).status, 404, 'the failed upload is over');
    assert.equal((await http('POST', `${url}/v2/a/b/blobs/uploads/?digest=${digest}`, blob)).status, 201);
    assert.equal((await http('GET', `${url}/v2/a/b/blobs/${digest}`, undefined, { range: 'bytes=6-' })).text, 'blob');
    assert.equal((await http('POST', `${url}/v2/c/blobs/uploads/?mount=${digest}&from=a/b`)).status, 201);
    const part = { mediaType: 'application/x', digest, size: blob.length };
    const type = { 'content-type': 'application/vnd.oci.image.manifest.v1+json' };
    const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: type['content-type'], config: part, layers: [] }));
    for (const tag of ['1', '2', '3']) assert.equal((await http('PUT', `${url}/v2/a/b/manifests/${tag}`, manifest, type)).status, 201);
    const page = await http('GET', `${url}/v2/a/b/tags/list?n=2`);
    assert.deepEqual(JSON.parse(page.text), { name: 'a/b', tags: ['1', '2'] });
    assert.match(page.headers.get('link') ?? '', /last=2>; rel="next"/);
    const subject = { ...part, digest: digestOf(manifest), size: manifest.length };
    const signature = Buffer.from(JSON.stringify({ ...JSON.parse(manifest.toString()), artifactType: 'sig', subject }));
    const put = await http('PUT', `${url}/v2/a/b/manifests/${digestOf(signature)}`, signature, type);
    assert.equal(put.headers.get('oci-subject'), subject.digest);
    const referrers = JSON.parse((await http('GET', `${url}/v2/a/b/referrers/${subject.digest}?artifactType=sig`)).text) as {
      manifests: unknown[];
    };
    assert.equal(referrers.manifests.length, 1);
    const missing = Buffer.from(JSON.stringify({ schemaVersion: 2, config: { ...part, digest: `sha256:${'1'.repeat(64)}` }, layers: [] }));
    assert.match((await http('PUT', `${url}/v2/a/b/manifests/x`, missing, type)).text, /MANIFEST_BLOB_UNKNOWN/);
    assert.match((await http('PUT', `${url}/v2/a/b/manifests/x`, Buffer.from('{'), type)).text, /MANIFEST_INVALID/);
    assert.match((await http('GET', `${url}/v2/A/b/tags/list`)).text, /NAME_INVALID/);
    assert.equal((await http('DELETE', `${url}/v2/a/b/manifests/1`)).status, 202);
    assert.equal((await http('GET', `${url}/v2/a/b/manifests/1`)).status, 404);
    assert.equal((await http('GET', `${url}/v2/other/manifests/${subject.digest}`)).status, 404, 'manifests belong to their repository');
  });

  it('outlives a request whose target is no URL', async () => {
    const { port } = await machine();
    const answer = await new Promise<number | undefined>((resolve, reject) => {
      httpRequest({ port, path: '//' }, (response) => resolve(response.resume().statusCode))
        .on('error', reject)
        .end();
    });
    assert.equal(answer, 404);
  });

  it('keeps held images, frees the rest, and refuses a wrong token', async () => {
    const { store, images, url } = await machine();
    const { digest } = await images.build({ directory: app, tags: ['keep', 'drop'] });
    const local = await store.ensure('keep', 'Never', [], signal);
    await store.hold(digest, 'pod-1');
    await images.remove('keep');
    await images.remove('drop');
    await images.prune();
    assert.ok(existsSync(local.layers[0] ?? ''));
    await store.release('pod-1');
    assert.ok((await images.prune()).freedBytes > 1e6);
    assert.equal(existsSync(local.layers[0] ?? ''), false);
    await assert.rejects(images.remove('keep'), { name: 'UserError' });
    await assert.rejects(new ImageClient({ url, token: () => 'guess' }).list(), /token/);
  });

  it('on a full disk removes pulled images that nothing uses, oldest first, and keeps what was made here', async () => {
    const origin = await machine();
    let availableBytes = 30;
    const clock = new FakeClock(Date.now());
    const store = await openImageStore({
      directory: join(root, 'full'),
      rootless: true,
      clock,
      logger: silentLogger,
      // Each name removed gives back two percent of this disk.
      diskUsage: async () => ({ totalBytes: 100, availableBytes: availableBytes + 2 * (5 - [...store.repositories.allTags()].length) }),
    });
    const names: string[] = [];
    for (const name of ['held', 'old', 'newer', 'newest']) {
      const directory = project(`full-${name}`, { 'index.html': name });
      const reference = `localhost:${origin.port}/full/${name}:1`;
      await origin.images.build({ directory, tags: [reference] });
      await store.pull(reference, [], signal);
      names.push(reference);
      await clock.advance(1000);
    }
    const digest = (name: string) => store.lookup(store.name(name))?.digest ?? '';
    await store.hold(digest(names[0] ?? ''), 'pod');
    await store.setTag('made-here:1', digest(names[1] ?? ''));
    await clock.advance(600_000);
    assert.equal([...store.repositories.allTags()].length, 5, 'there is room');
    availableBytes = 14;
    await clock.advance(60_000);
    assert.deepEqual(await store.relieve(), { removed: names.slice(1, 4), wantedBytes: 6, freedBytes: 6 });
    assert.deepEqual(
      (await store.list()).map(({ origin, inUse }) => [origin, inUse]),
      [
        ['registry', true],
        ['local', false],
      ],
    );
    assert.equal((await store.ensure('made-here:1', 'Never', [], signal)).source, 'local store');
    assert.equal(await store.relieve(), undefined, 'there is room again');
    await store[Symbol.asyncDispose]();
  });

  it('saves and loads archives without changing a digest; a broken one is refused', async () => {
    const one = await machine();
    const two = await machine();
    const { digest } = await one.images.build({ directory: app, tags: ['saved:1'] });
    for (const format of ['docker', 'oci'] as const) {
      const loaded = await two.images.load(await one.images.save({ names: ['saved:1'], format }));
      assert.deepEqual(loaded.images, [{ name: 'saved:1', digest }]);
    }
    assert.equal((await two.store.ensure('saved:1', 'Always', [], signal)).digest, digest);
    await assert.rejects(two.images.load(Readable.from([Buffer.from('no archive at all')])), /archive/);
    await assert.rejects(one.images.save({ names: ['nope'] }), /no image "nope"/);
  });

  it('remembers names and holds after it is opened again', async () => {
    const { store, images } = await machine();
    const { digest } = await images.build({ directory: app, tags: ['kept'] });
    await store.hold(digest, 'pod');
    const again = await openImageStore({ directory: store.directory, rootless: false, clock: systemClock, logger: silentLogger });
    assert.deepEqual(
      (await again.list()).map(({ name, inUse }) => [name, inUse]),
      [['kept:latest', true]],
    );
  });

  const hasSkopeo = existsSync('/usr/bin/skopeo');
  it('takes what skopeo pushes and gives it back', { skip: hasSkopeo ? false : 'skopeo is not installed' }, async () => {
    const { store, images, port } = await machine();
    const { digest } = await images.build({ directory: app, tags: ['gcr.io/samples/x:1'] });
    const layout = join(root, 'layout');
    await tools.skopeo('copy', '--src-tls-verify=false', `docker://localhost:${port}/gcr.io/samples/x:1`, `oci:${layout}:x`);
    const other = await machine();
    for (const extra of [[], ['--format', 'v2s2']]) {
      const target = `localhost:${other.port}/gcr.io/pushed/x`;
      await tools.skopeo('copy', ...extra, '--dest-tls-verify=false', `oci:${layout}:x`, `docker://${target}`);
      assert.ok(
        existsSync(join((await other.store.ensure('gcr.io/pushed/x', 'Always', [], signal)).layers.at(-1) ?? '', 'usr/local/bin/node')),
      );
    }
    assert.equal((await store.find('gcr.io/samples/x:1')).digest, digest);
    const archive = join(root, 'docker.tar');
    await tools.skopeo('copy', `oci:${layout}:x`, `docker-archive:${archive}:named/by-docker:2`);
    const { createReadStream } = await import('node:fs');
    assert.equal((await images.load(createReadStream(archive))).images[0]?.name, 'docker.io/named/by-docker:2');
    assert.equal((await store.ensure('named/by-docker:2', 'Never', [], signal)).config.workingDirectory, '/app');
  });
});
