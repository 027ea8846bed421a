import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { withoutKubectl } from './support/kubectl.ts';
import { startPlatform, type TestPlatform } from './support/platform.ts';
import { findProgram, isExecutable, mustRun, run, until, type Result } from './support/run.ts';

/** Knative's own client `kn`, and gcloud with a cluster of one's own, both as they come. */

const image = 'gcr.io/knative-samples/helloworld-nodejs';
const example = fileURLToPath(new URL('../examples/helloworld-nodejs', import.meta.url));
const named = process.env['DORMOUSE_KN'];
const kn = named !== undefined && isExecutable(named) ? named : findProgram('kn');
const gcloud = findProgram('gcloud');

describe('clients of Knative', { skip: withoutKubectl }, () => {
  let platform: TestPlatform;
  before(async () => {
    platform = await startPlatform();
    await platform.dormouse(['build', example, '-t', image]);
  });
  after(() => platform[Symbol.asyncDispose]());

  const curl = (host: string) => mustRun('curl', ['-sS', '-H', `Host: ${host}`, platform.gatewayUrl]);

  describe('kn', { skip: kn === undefined && 'kn is neither on PATH nor named by DORMOUSE_KN' }, () => {
    // From a pipe it would read the containers to add to.
    const tryKn = (line: string) =>
      run('sh', ['-c', `exec "$0" ${line} </dev/null`, kn ?? 'kn'], { env: { KUBECONFIG: platform.kubeconfig } });
    const type = async (line: string) => {
      const { code, stdout, stderr } = await tryKn(line);
      assert.equal(code, 0, `kn ${line}\n${stderr}${stdout}`);
      return stdout;
    };

    test('knows which Knative it speaks to', async () => {
      assert.match(await type('version'), /serving\.knative\.dev\/v1/);
    });

    test('creates, shows and updates a service', async () => {
      const created = await type(`service create hello --image ${image} --env TARGET=kn --scale 1..3 --concurrency-limit 5`);
      assert.match(
        created,
        /Service 'hello' created to latest revision 'hello-00001' is available at URL:\nhttp:\/\/hello\.default\.localhost/,
      );
      assert.equal(await curl('hello.default.localhost'), 'Hello kn!\n');
      assert.match(await type('service list'), /hello +http\S+ +hello-00001 +\S+ +3 OK \/ 3 +True/);
      assert.match(
        await type('service describe hello -v'),
        /100% +@latest \(hello-00001\) \[1\][^]+Concurrency: *\n +Limit: +5[^]+\+\+ Ready/,
      );
      const updated = await type('service update hello --env TARGET=two --tag hello-00001=old');
      assert.match(updated, /updated to latest revision 'hello-00002'/);
      await type('service update hello --traffic hello-00001=50,@latest=50');
      assert.match(
        await type('route describe hello'),
        /50% +@latest \(hello-00002\)\n +50% +hello-00001 #old\n +URL: +http:\/\/old-hello\.default/,
      );
      assert.equal(await curl('old-hello.default.localhost'), 'Hello kn!\n');
      assert.match(await type('route list'), /hello +http:\S+ +True/);
      assert.match(await type('revision list'), /hello-00002 +hello +50% +2 +\S+ +4 OK \/ 4 +True/);
      assert.match(await type('revision describe hello-00001'), /Env: +TARGET=kn[^]+\+\+ ContainerHealthy/);
      assert.match(await type('service apply hello --image ' + `${image} --env TARGET=three`), /latest revision 'hello-00003'/);
    });

    test('exports a service, deletes it and imports it again', async () => {
      await type('service update hello --traffic @latest=100 --untag old');
      const file = join(platform.dataDir, 'hello.yaml');
      await writeFile(file, await type('service export hello -o yaml'));
      await type('service delete hello --wait');
      assert.match(await type('service list'), /No services found/);
      await type(`service import ${file}`);
      await until('the service to be ready', async () => (/ True/.test(await type('service list')) ? true : undefined));
      assert.equal(await curl('hello.default.localhost'), 'Hello three!\n');
    });

    test('maps a domain that is claimed', async () => {
      await platform.apply({
        apiVersion: 'networking.internal.knative.dev/v1alpha1',
        kind: 'ClusterDomainClaim',
        metadata: { name: 'hello.example.org' },
        spec: { namespace: 'default' },
      });
      await type('domain create hello.example.org --ref hello');
      await type('domain create taken.example.org --ref hello');
      await until('the domain to be ready', async () =>
        /hello\.example\.org .* True +hello/.test(await type('domain list')) ? true : undefined,
      );
      assert.match(await type('domain describe taken.example.org'), /!! DomainClaimed +\S+ DomainAlreadyClaimed/);
      assert.match(await curl('hello.example.org'), /^Hello /);
      await type('domain update hello.example.org --ref kroute:hello');
      await type('domain delete hello.example.org');
      await until('the domain to be unknown', async () => ((await curl('hello.example.org')).startsWith('Hello ') ? undefined : true));
    });

    test('adds a container, lists plugins, and says why a service does not come up', async () => {
      assert.match(await type(`container add side --image ${image}`), /containers:\n- image: /);
      assert.match(await type('plugin list'), /No plugins found/);
      const { code, stderr } = await tryKn('service create nope --image gcr.io/none/none --wait-timeout 20');
      assert.equal(code, 1);
      assert.match(stderr, /RevisionFailed: Revision "nope-00001" failed with message: Unable to fetch image "gcr.io\/none\/none"/);
      const { stderr: refused } = await tryKn(`service create hello2 --image ${image} --scale-min 3 --scale-max 2`);
      assert.match(refused, /max-scale=2 is less than min-scale=3/);
      await type('service delete nope hello');
    });
  });

  describe('gcloud run --platform kubernetes', { skip: gcloud === undefined && 'gcloud is not installed' }, () => {
    let config: string;
    before(async () => {
      config = await mkdtemp(join(tmpdir(), 'dormouse-gcloud-'));
    });
    after(() => rm(config, { recursive: true, force: true }));

    /** gcloud forgets the port of a kubeconfig's server: the API port is its proxy as well. Another CA would win over the file's. */
    const tryGcloud = (line: string): Promise<Result> => {
      const unset = ['REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE', 'CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE'].flatMap((name) => ['-u', name]);
      const where = ['--platform', 'kubernetes', '--kubeconfig', platform.kubeconfig];
      return run('env', [...unset, gcloud ?? 'gcloud', 'run', ...line.split(' '), ...where], {
        timeoutMs: 90_000,
        env: {
          CLOUDSDK_CONFIG: config,
          CLOUDSDK_CORE_PROJECT: 'p',
          CLOUDSDK_CORE_DISABLE_PROMPTS: '1',
          CLOUDSDK_CORE_DISABLE_USAGE_REPORTING: 'true',
          CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK: 'true',
          CLOUDSDK_AUTH_DISABLE_CREDENTIALS: 'true',
          CLOUDSDK_PROXY_TYPE: 'http',
          CLOUDSDK_PROXY_ADDRESS: '127.0.0.1',
          CLOUDSDK_PROXY_PORT: String(platform.port('api')),
        },
      });
    };
    const type = async (line: string) => {
      const { code, stdout, stderr } = await tryGcloud(line);
      assert.equal(code, 0, `gcloud run ${line}\n${stderr}${stdout}`);
      return `${stdout}${stderr}`;
    };

    test('deploys, lists, describes and updates a service', async () => {
      assert.match(await type(`deploy web --image ${image} --set-env-vars TARGET=one`), /Service URL: .*http:\/\/web\.default\.localhost/);
      assert.equal(await curl('web.default.localhost'), 'Hello one!\n');
      const [list = '', description = ''] = await Promise.all(['services list', 'services describe web'].map(type));
      assert.match(list, /web +default +http:\/\/web\.default\.localhost/);
      assert.match(description, /100% .*LATEST \(currently web-00001\)/);
      assert.match(await type('services update web --set-env-vars TARGET=two'), /web-00002.* has been deployed and is serving .*100/);
      assert.match(await type('services update-traffic web --to-revisions web-00001=50'), /50% .*web-00001/);
      assert.match(await type(`deploy web --image ${image} --tag green --no-traffic`), /reached directly at http:\/\/green-web\.default/);
    });

    test('shows revisions, configurations and routes', async () => {
      const lists = ['revisions list', 'revisions describe web-00001', 'configurations list', 'routes list'];
      const [revisions = '', revision = '', configurations = '', routes = ''] = await Promise.all(lists.map(type));
      assert.match(revisions, /web-00001 +yes +web +\d{4}-/);
      assert.match(revision, /Revision web-00001 in namespace default/);
      assert.match(configurations, /web +default +web-00004-\w+ +web-00004/);
      assert.match(routes, /web/);
    });

    test('deletes a revision and the service; a failing deployment says why', async () => {
      const { code, stderr } = await tryGcloud('deploy bad --image gcr.io/none/none');
      assert.equal(code, 1);
      assert.match(stderr, /Revision "bad-00001" failed with message: Unable to fetch image "gcr.io\/none\/none"/);
      await type('services update-traffic web --to-latest');
      assert.match(await type('revisions delete web-00001'), /is being deleted/);
      await Promise.all(['services delete web', 'services delete bad'].map(type));
      const left = () => platform.kubectl(['get', 'ksvc,configurations,routes,revisions,deployments', '-o', 'name']);
      await until('nothing to be left', async () => ((await left()) === '' ? true : undefined));
    });
  });
});
