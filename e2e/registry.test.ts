import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { ImageTools } from '#images/testing.ts';
import { DockerEngine, withoutDockerEngine } from './support/docker-engine.ts';
import { GuardedRegistry, withoutGuardedRegistry } from './support/guarded-registry.ts';
import { withoutKubectl } from './support/kubectl.ts';
import { startPlatform, type TestPlatform } from './support/platform.ts';
import { findProgram, until } from './support/run.ts';
import { loadTestImage, withoutTestImage } from './support/test-image.ts';

const without = (program: string) => (findProgram(program) === undefined ? `${program} is not installed` : false);

describe('the registry and the tools people push with', { skip: withoutKubectl || withoutTestImage }, () => {
  let platform: TestPlatform;
  let registry: string;
  let base: string;
  let tools: ImageTools;

  before(async () => {
    platform = await startPlatform();
    tools = new ImageTools(join(platform.dataDir, 'tools'));
    registry = `localhost:${platform.port('registry')}`;
    base = await loadTestImage(platform);
    await platform.dormouse(['image', 'tag', base, `${registry}/tools/base:1`]);
  });
  after(async () => {
    await tools?.[Symbol.asyncDispose]();
    await platform?.[Symbol.asyncDispose]();
  });

  it(
    'docker pulls, builds on it, pushes; a pod runs what was pushed; docker pulls the same again',
    { skip: withoutDockerEngine() },
    async () => {
      await using docker = await DockerEngine.start();
      await docker.run(['pull', '--quiet', `${registry}/tools/base:1`]);
      const context = join(platform.dataDir, 'docker-context');
      await mkdir(context);
      await writeFile(join(context, 'greeting'), 'built by docker\n');
      await writeFile(join(context, 'Dockerfile'), `FROM ${registry}/tools/base:1\nCOPY greeting /greeting\nCMD ["cat", "/greeting"]\n`);
      const image = `${registry}/tools/greeter:1`;
      await docker.run(['build', '--quiet', '--tag', image, context]);
      const pushed = await docker.run(['push', image]);
      const digest = /digest: (sha256:[0-9a-f]{64})/.exec(pushed)?.[1];
      assert.ok(digest, pushed);
      assert.equal(await outputOf('greeter', image), 'built by docker\n');
      assert.match(
        await platform.kubectl(['get', 'pod', 'greeter', '-o', 'jsonpath={.status.containerStatuses[0].imageID}']),
        new RegExp(digest),
      );
      await docker.run(['rmi', image]);
      assert.match(await docker.run(['pull', image]), new RegExp(`Digest: ${digest}`));
    },
  );

  it('skopeo copies out and in', { skip: without('skopeo') }, async () => {
    const directory = join(platform.dataDir, 'copied');
    await tools.skopeo('copy', '--src-tls-verify=false', `docker://${registry}/tools/base:1`, `oci:${directory}:base`);
    await tools.skopeo('copy', '--dest-tls-verify=false', `oci:${directory}:base`, `docker://${registry}/tools/copied:1`);
    assert.equal(await outputOf('copied', `${registry}/tools/copied:1`, ['echo', 'copied']), 'copied\n');
  });

  it('buildah commits and pushes', { skip: without('buildah') }, async () => {
    const container = (await tools.buildah('from', '--quiet', '--tls-verify=false', `${registry}/tools/base:1`)).trim();
    await tools.buildah('config', '--cmd', '["echo", "built by buildah"]', container);
    const image = `${registry}/tools/buildah:1`;
    await tools.buildah('commit', '--quiet', container, image);
    await tools.buildah('push', '--quiet', '--tls-verify=false', image);
    assert.equal(await outputOf('buildah', image), 'built by buildah\n');
  });

  it('a pod pulls with its pull secret what is refused without', { skip: withoutGuardedRegistry() || without('skopeo') }, async () => {
    await using guarded = await GuardedRegistry.start();
    const { host, user, password } = guarded;
    const image = `${host}/private/app:1`;
    const credentials = [`--dest-creds=${user}:${password}`, '--src-tls-verify=false', '--dest-tls-verify=false'];
    await tools.skopeo('copy', ...credentials, `docker://${registry}/tools/base:1`, `docker://${image}`);
    const container = { name: 'main', image, command: ['echo', 'let in'] };
    const pod = (name: string, more: object = {}) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name },
      spec: { restartPolicy: 'Never', containers: [container], ...more },
    });
    await platform.apply(pod('stranger'));
    const refusal = /Failed to pull image .*pull access denied, repository does not exist or may require authorization/;
    await until('the pull to be refused', async () => refusal.exec(await platform.kubectl(['describe', 'pod', 'stranger'])) ?? undefined);
    const login = [`--docker-server=${host}`, `--docker-username=${user}`, `--docker-password=${password}`];
    await platform.kubectl(['create', 'secret', 'docker-registry', 'login', ...login]);
    await platform.apply(pod('guest', { imagePullSecrets: [{ name: 'login' }] }));
    await until('the pod to end well', async () => {
      const phase = await platform.kubectl(['get', 'pod', 'guest', '-o', 'jsonpath={.status.phase}']);
      return phase === 'Succeeded' ? true : undefined;
    });
    assert.equal(await platform.kubectl(['logs', 'guest']), 'let in\n');
  });

  it('image push and pull send the login they are given, or that of docker login', { skip: withoutGuardedRegistry() }, async () => {
    await using guarded = await GuardedRegistry.start();
    const { host, user, password } = guarded;
    const image = `${host}/private/base:1`;
    const home = join(platform.dataDir, 'home');
    const file = join(home, '.docker', 'config.json');
    await mkdir(join(home, '.docker'), { recursive: true });
    const environment = { env: { HOME: home, DOCKER_CONFIG: join(home, '.docker'), REGISTRY_AUTH_FILE: '' } };
    const refused = await platform.tryDormouse(['image', 'push', `${registry}/tools/base:1`, image], environment);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, new RegExp(`push access denied[^]*Log in with "docker login ${host}"`));
    const pushed = await platform.dormouse(
      ['image', 'push', `${registry}/tools/base:1`, image, `--creds=${user}:${password}`],
      environment,
    );
    assert.match(pushed, /@sha256:[0-9a-f]{64}\n$/);
    const stdin = { ...environment, input: `${password}\n` };
    await platform.dormouse(['image', 'pull', image, '--username', user, '--password-stdin'], stdin);
    await writeFile(file, JSON.stringify({ auths: { [host]: { auth: Buffer.from(`${user}:${password}`).toString('base64') } } }));
    await platform.dormouse(['image', 'pull', image], environment);
    await writeFile(file, JSON.stringify({ auths: { [host]: { auth: Buffer.from('eve:x').toString('base64') } } }));
    const stranger = await platform.tryDormouse(['image', 'pull', image], environment);
    assert.match(stranger.stderr, /^dormouse image pull: failed to pull and unpack image .*pull access denied[^]*Log in with/);
  });

  /** What the image prints when it is run as a pod. */
  async function outputOf(name: string, image: string, command?: readonly string[]): Promise<string> {
    const container = { name: 'main', image, ...(command === undefined ? {} : { command }) };
    await platform.apply({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec: { restartPolicy: 'Never', containers: [container] } });
    const phase = ['get', 'pod', name, '-o', 'jsonpath={.status.phase}'];
    await until(`pod ${name} to end well`, async () => ((await platform.kubectl(phase)) === 'Succeeded' ? true : undefined));
    return platform.kubectl(['logs', name]);
  }
});
