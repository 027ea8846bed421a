import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { ImageTools, freePort, missingProgram, openMachine, startDaemon, type TestMachine } from '../testing.ts';

const run = promisify(execFile);
const root = mkdtempSync(join(tmpdir(), 'dormouse-engine-'));
const signal = AbortSignal.timeout(120_000);
const tools = new ImageTools(join(root, 'tools'));
const closing: AsyncDisposable[] = [tools];

async function machine(name: string): Promise<TestMachine> {
  const opened = await openMachine(join(root, name));
  closing.push(opened);
  return opened;
}

/** A daemon that ends with the tests, or why it does not run here. */
async function daemon(program: string, args: readonly string[], answers: () => Promise<unknown>): Promise<string | undefined> {
  const started = await startDaemon(program, args, { log: join(root, `${program}.log`), answers });
  if (typeof started === 'string') return started;
  closing.unshift(started);
  return undefined;
}

function context(): string {
  const directory = join(root, 'context');
  if (existsSync(directory)) return directory;
  mkdirSync(directory);
  copyFileSync('/bin/true', join(directory, 'program'));
  chmodSync(join(directory, 'program'), 0o755);
  writeFileSync(join(directory, 'Dockerfile'), 'FROM scratch\nCOPY program /bin/program\nCMD ["/bin/program"]\n');
  return directory;
}

describe('other programs at the registry', () => {
  after(async () => {
    for (const one of closing) await one[Symbol.asyncDispose]();
    rmSync(root, { recursive: true, force: true });
  });

  const withoutDocker = process.getuid?.() === 0 ? missingProgram('dockerd', 'docker') : 'needs root';
  it('docker builds, pushes and pulls', { skip: withoutDocker }, async (test) => {
    const { store, host } = await machine('for-docker');
    const socket = `unix://${join(root, 'docker.sock')}`;
    const docker = (...args: readonly string[]) =>
      run('docker', ['-H', socket, ...args], { env: { ...process.env, DOCKER_BUILDKIT: '0' } });
    const directories = [
      '--data-root',
      join(root, 'docker/data'),
      '--exec-root',
      join(root, 'docker/exec'),
      '-p',
      join(root, 'docker/pid'),
    ];
    const network = ['--bridge=none', '--iptables=false', '--ip6tables=false', '--ip-forward=false'];
    const refusal = await daemon('dockerd', [...directories, ...network, '-H', socket], () => docker('version'));
    if (refusal !== undefined) return test.skip(refusal);
    const name = `${host}/team/app:1`;
    await docker('build', '-q', '--network', 'none', '-t', name, context());
    const pushed = /digest: (sha256:\w+)/.exec((await docker('push', name)).stdout)?.[1];
    const image = await store.ensure(name, 'Always', [], signal);
    assert.equal(image.digest, pushed);
    assert.deepEqual(image.config.command, ['/bin/program']);
    await docker('rmi', name);
    assert.match((await docker('pull', name)).stdout, new RegExp(`Digest: ${pushed}`));
    await docker('tag', name, `${host}/other/app:2`);
    assert.match((await docker('push', `${host}/other/app:2`)).stdout, /Mounted from team\/app|Layer already exists/);
    await assert.rejects(docker('pull', `${host}/team/app:nope`), /manifest unknown/);
  });

  it(
    'buildah pushes; skopeo lists, inspects, copies zstd layers and deletes',
    { skip: missingProgram('skopeo') || missingProgram('buildah') },
    async () => {
      const { store, host } = await machine('for-buildah');
      const name = 'localhost/app:1';
      const foreign = `${name}-foreign`;
      await tools.buildah('bud', '--isolation', 'chroot', '-q', '-t', name, context());
      await tools.buildah('push', '--tls-verify=false', name, `docker://${host}/team/app:1`);
      await tools.buildah('bud', '--isolation', 'chroot', '-q', '--arch', 's390x', '-t', foreign, context());
      await tools.buildah('push', '--tls-verify=false', foreign, `docker://${host}/team/other-machine:1`);
      await assert.rejects(
        store.ensure(`${host}/team/other-machine:1`, 'IfNotPresent', [], signal),
        /^ImageError: failed to pull and unpack image "localhost:\d+\/team\/other-machine:1": no match for platform in manifest/,
      );
      const layout = `oci:${join(root, 'zstd')}:z`;
      await tools.skopeo('copy', '--dest-compress-format', 'zstd', '--src-tls-verify=false', `docker://${host}/team/app:1`, layout);
      await tools.skopeo('copy', '--dest-tls-verify=false', layout, `docker://${host}/team/app:z`);
      const plain = await store.ensure(`${host}/team/app:1`, 'Always', [], signal);
      const compressed = await store.ensure(`${host}/team/app:z`, 'Always', [], signal);
      assert.notEqual(compressed.digest, plain.digest);
      assert.deepEqual(compressed.layers, plain.layers, 'equal content is unpacked once');
      const tags = async () =>
        JSON.parse(await tools.skopeo('list-tags', '--tls-verify=false', `docker://${host}/team/app`)) as { Tags: string[] };
      assert.deepEqual((await tags()).Tags, ['1', 'z']);
      const inspected = await tools.skopeo('inspect', '--tls-verify=false', `docker://${host}/team/app:1`);
      assert.equal((JSON.parse(inspected) as { Digest: string }).Digest, plain.digest);
      await tools.skopeo('delete', '--tls-verify=false', `docker://${host}/team/app:z`);
      assert.deepEqual((await tags()).Tags, ['1']);
    },
  );

  it(
    'pulls from a registry with passwords, and says when it is refused',
    { skip: missingProgram('docker-registry', 'htpasswd', 'skopeo', 'buildah') },
    async (test) => {
      const guarded = `localhost:${await freePort()}`;
      const passwords = join(root, 'htpasswd');
      await run('htpasswd', ['-Bbc', passwords, 'me', 'pw']);
      const settings = {
        version: 0.1,
        storage: { filesystem: { rootdirectory: join(root, 'guarded') } },
        http: { addr: guarded.replace('localhost', '127.0.0.1') },
        auth: { htpasswd: { realm: 'test', path: passwords } },
      };
      writeFileSync(join(root, 'registry.yml'), JSON.stringify(settings));
      const refusal = await daemon('docker-registry', ['serve', join(root, 'registry.yml')], () => fetch(`http://${guarded}/v2/`));
      if (refusal !== undefined) return test.skip(refusal);
      const me = { registry: guarded, username: 'me', password: 'pw' };
      const credentials = [me];
      const { store } = await machine('puller');
      await assert.rejects(store.ensure(`${guarded}/team/app:1`, 'Always', [], signal), /pull access denied.*authorization failed/);
      await assert.rejects(
        store.ensure(`${guarded}/team/app:1`, 'Always', [{ ...me, password: 'no' }], signal),
        /pull access denied.*authorization failed/,
      );
      await assert.rejects(store.ensure(`${guarded}/team/app:1`, 'Always', credentials, signal), /team\/app:1: not found/);
      await tools.skopeo(
        'copy',
        '--dest-tls-verify=false',
        '--dest-creds',
        'me:pw',
        `oci:${join(root, 'zstd')}:z`,
        `docker://${guarded}/team/app:1`,
      );
      assert.equal((await store.ensure(`${guarded}/team/app:1`, 'Always', credentials, signal)).source, `registry ${guarded}`);
    },
  );
});
