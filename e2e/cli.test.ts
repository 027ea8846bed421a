import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startPlatform, type TestPlatform } from './support/platform.ts';
import { until } from './support/run.ts';

/** What a user of Cloud Run types: services by the command line alone. */

const launcher = fileURLToPath(new URL('../bin/dormouse.js', import.meta.url));
const example = (name: string) => fileURLToPath(new URL(`../examples/${name}`, import.meta.url));

interface Deployed {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly template: { readonly metadata: { readonly annotations: object }; readonly spec: object } };
  readonly status: { readonly url: string; readonly latestReadyRevisionName: string };
}

describe('the command line', () => {
  let platform: TestPlatform;
  let directory = '';
  before(async () => {
    [platform, directory] = await Promise.all([startPlatform(), mkdtemp(join(tmpdir(), 'dormouse-cli-'))]);
  });
  after(async () => {
    await platform[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  const call = (service: string) =>
    new Promise<string>((resolve, reject) => {
      const headers = { host: `${service}.default.localhost` };
      get({ port: platform.port('http'), host: '127.0.0.1', headers }, (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
        response.on('end', () => resolve(`${response.statusCode} ${body}`));
      }).on('error', reject);
    });
  const data = async <T>(...words: readonly string[]) => JSON.parse(await platform.dormouse([...words, '-o', 'json'])) as T;
  const refused = async (text: RegExp, ...words: readonly string[]) => {
    const { code, stderr } = await platform.tryDormouse(words);
    assert.deepEqual([code, text.test(stderr) ? '' : stderr], [1, ''], `dormouse ${words.join(' ')}`);
    assert.doesNotMatch(stderr, /^ {4}at /m, 'a stack is for faults of the program');
  };

  test('deploys source with every option, shows each step, and gives the service as data', async () => {
    const flags = ['--env=TARGET=a=b', '--port=9000', '--concurrency=20', '--min=1', '--max=3', '--memory=128Mi', '--cpu=500m'];
    const words = ['deploy', '--source', example('helloworld-nodejs'), '--name=hello', ...flags, '-o', 'json'];
    const { code, stdout, stderr } = await platform.tryDormouse(words);
    assert.equal(code, 0, stderr);
    for (const step of ['Building', 'revision  hello-00001', 'image', 'pod', 'route']) assert.ok(stderr.includes(step), stderr);
    const { metadata, spec } = JSON.parse(stdout) as Deployed;
    assert.equal(metadata.name, 'hello');
    const { annotations } = spec.template.metadata;
    assert.partialDeepStrictEqual(annotations, { 'autoscaling.knative.dev/min-scale': '1', 'autoscaling.knative.dev/max-scale': '3' });
    assert.partialDeepStrictEqual(spec.template.spec, {
      containerConcurrency: 20,
      containers: [
        {
          env: [{ name: 'TARGET', value: 'a=b' }],
          ports: [{ containerPort: 9000 }],
          resources: { limits: { cpu: '500m', memory: '128Mi' } },
        },
      ],
    });
    assert.equal(await call('hello'), '200 Hello a=b!\n');
  });

  test('a second revision gets no traffic but a URL of its own; traffic moves it in steps and back', async () => {
    const source = ['deploy', '--source', example('helloworld-nodejs'), '--name=hello'];
    const said = await platform.dormouse([...source, '--env=TARGET=two', '--no-traffic', '--tag=next']);
    assert.match(
      said,
      /hello-00002 alone: http:\/\/next-hello\.default\.localhost:\d+\n {2}hello-00002 gets 0 % .*: dormouse traffic hello @latest=100\n/,
    );
    assert.equal(await call('hello'), '200 Hello a=b!\n');
    assert.equal(await call('next-hello'), '200 Hello two!\n');
    const table = await platform.dormouse(['traffic', 'hello', 'hello-00001=75', 'hello-00002=25']);
    assert.match(table, /hello-00001 +75%\nhello-00002 +25%/);
    await refused(
      /revisions\.serving\.knative\.dev "hello-00009" not found\n {2}See which there are: dormouse revisions\n/,
      'traffic',
      'hello',
      'hello-00009=100',
    );
    await refused(/Traffic targets sum to 50, want 100/, 'traffic', 'hello', 'hello-00001=50');
    await refused(/"hello-00001" is not REVISION=PERCENT/, 'traffic', 'hello', 'hello-00001');
    await platform.dormouse(['traffic', 'hello', '@latest=100']);
    assert.equal(await call('hello'), '200 Hello two!\n');
    assert.match(await platform.dormouse(['revisions', 'hello']), /hello-00002 +hello +100% +True/);
  });

  test('logs, open, services and top show it', async () => {
    assert.match(await platform.dormouse(['logs', 'hello']), /GET \//);
    assert.match(await platform.dormouse(['open', 'hello', '--url-only']), /^http:\/\/hello\.default\.localhost:\d+\n$/);
    assert.match(await platform.dormouse(['ls']), /default +hello +http\S+ +hello-00002 +True/);
    const rows = await data<{ service: string; requests: number }[]>('top');
    assert.ok((rows.find(({ service }) => service === 'hello')?.requests ?? 0) > 0);
    assert.match(await platform.dormouse(['services', '-o', 'yaml']), /^- apiVersion: serving\.knative\.dev\/v1\n/);
  });

  test('a manifest is deployed as it stands', async () => {
    const file = join(directory, 'service.yaml');
    const image = `localhost:${platform.port('registry')}/hello`;
    await writeFile(
      file,
      `apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: filed}\nspec: {template: {spec: {containers: [{image: "${image}"}]}}}\n`,
    );
    assert.match(await platform.dormouse(['deploy', '-f', file]), /Service filed serves at/);
    assert.equal(await call('filed'), '200 Hello NOT SPECIFIED!\n');
    // Also onto a service that the command line made, whose container has got a name.
    await platform.dormouse(['deploy', '--name=filed', '--image', image, '--env=TARGET=by hand', '--port=9000']);
    await platform.dormouse(['deploy', '-f', file]);
    assert.equal(await call('filed'), '200 Hello NOT SPECIFIED!\n');
    await refused(/nowhere\.yaml: there is no such file/, 'deploy', '-f', 'nowhere.yaml');
    await refused(/--env cannot be given with -f/, 'deploy', '-f', file, '--env=A=1');
    await writeFile(file, 'kind: Service\napiVersion: v1\nmetadata: {name: x}');
    await refused(/holds a v1 Service\n.*kubectl/, 'deploy', '-f', file);
    await writeFile(file, 'a: [');
    await refused(/is not valid YAML/, 'deploy', '-f', file);
  });

  test('a deploy that fails says the reason, the last log lines and the next step', async () => {
    await writeFile(join(directory, 'server.js'), `console.error('no database'); process.exit(3);`);
    await writeFile(join(directory, 'package.json'), '{"name": "broken", "scripts": {"start": "node server.js"}}');
    await refused(
      /service broken failed: Container failed with: no database\n {2}Next: mend it and deploy again; .*dormouse logs broken.*kubectl describe revision broken-00001/,
      'deploy',
      '--source',
      directory,
      '--name=broken',
    );
    await refused(
      /service none failed: Unable to fetch image "localhost:1\/none"[^]*Next: see which images/,
      'deploy',
      '--image=localhost:1/none',
    );
    await refused(/service none failed: Unable to fetch image "localhost:1\/none": [^]*Next: see which images/, 'logs', 'none');
  });

  const unlimited = process.getuid?.() === 0 ? false : 'limits need control groups: root';
  test('a program that is killed for its memory, without a word of its own, is told so', { skip: unlimited }, async () => {
    await refused(
      /service small failed: Container failed with: exit code 137 \(OOMKilled\)\n {2}Next: .*--memory/,
      'deploy',
      `--image=localhost:${platform.port('registry')}/hello`,
      '--name=small',
      '--memory=6Mi',
    );
    await platform.dormouse(['delete', 'small']);
  });

  test('a program that listens elsewhere is told where it should', async () => {
    const source = join(directory, 'elsewhere');
    await mkdir(source);
    await writeFile(join(source, 'server.js'), `require('http').createServer().listen(3000)`);
    await using deploying = platform.startTyped(
      `${process.execPath} ${launcher} deploy --source ${source} --name=elsewhere --data-dir=${platform.dataDir}`,
    );
    await deploying.waitFor(/waiting +the program runs and does not answer yet[^]*must listen on all addresses at \$PORT, here 8080/);
    deploying.process.kill('SIGINT');
    assert.equal(await deploying.ended, 130);
    await platform.dormouse(['deploy', '--source', source, '--name=elsewhere', '--port=3000']);
    await platform.dormouse(['delete', 'elsewhere']);
  });

  test('a pod that cannot start yet says what it waits for, to deploy and to logs', async () => {
    const manifest = join(directory, 'waits.yaml');
    const container = { image: `localhost:${platform.port('registry')}/hello`, volumeMounts: [{ name: 'v', mountPath: '/v' }] };
    const spec = { volumes: [{ name: 'v', secret: { secretName: 'missing' } }], containers: [container] };
    const service = { apiVersion: 'serving.knative.dev/v1', kind: 'Service', metadata: { name: 'waits' }, spec: { template: { spec } } };
    await writeFile(manifest, JSON.stringify(service));
    await using deploying = platform.startTyped(`${process.execPath} ${launcher} deploy -f ${manifest} --data-dir=${platform.dataDir}`);
    await deploying.waitFor(/waiting +FailedMount: MountVolume\.SetUp failed .* secret "missing" not found/);
    await refused(/container "user-container" in pod "waits-00001-\S+" is waiting to start: ContainerCreating\n$/, 'logs', 'waits');
    await platform.dormouse(['delete', 'waits']);
    deploying.process.kill('SIGINT');
    await deploying.ended;
  });

  test('mistakes are refused before anything is built, each with its reason', async () => {
    const source = ['deploy', '--source', example('timezone')];
    await refused(/nothing to deploy\n {2}Give one of --image/, 'deploy');
    await refused(/--image and --source cannot be given together/, ...source, '--image=x');
    await refused(/--port: "0" is not a whole number from 1 to 65535/, ...source, '--port=0');
    await refused(/--memory: "much" is not an amount\n {2}For example 256Mi/, ...source, '--memory=much');
    await refused(/--name: "A_b" cannot be part of a URL/, ...source, '--name=A_b');
    await refused(/\/nowhere: there is no such file or directory/, 'deploy', '--source=/nowhere');
    await refused(/unknown command "servces"\n {2}Did you mean "dormouse services"/, 'servces');
    await refused(/namespaces "nowhere" not found\n {2}Make it first: kubectl create namespace nowhere/, ...source, '-n', 'nowhere');
    await refused(/no image "nosuch" in the store\n {2}See which there are: dormouse image ls/, 'image', 'rm', 'nosuch');
    await refused(/Unknown option '--cpus'\n {2}See "dormouse deploy --help"/, ...source, '--cpus=1');
    for (const command of ['logs', 'open', 'revisions', 'traffic', 'delete'])
      await refused(/services\.serving\.knative\.dev "nosuch" not found/, command, 'nosuch');
    assert.doesNotMatch(await platform.dormouse(['services']), /timezone/);
  });

  test('kubeconfig --merge keeps what others have in the file', async () => {
    const file = join(directory, 'kubeconfig');
    await writeFile(
      file,
      'apiVersion: v1\nkind: Config\ncurrent-context: other\ncontexts: [{name: other, context: {cluster: other, user: other}}]\nclusters: [{name: other, cluster: {server: "https://other"}}]\nusers: [{name: other, user: {token: t}}]\n',
    );
    await platform.dormouse(['kubeconfig', '--merge'], { env: { KUBECONFIG: file } });
    const merged = await readFile(file, 'utf8');
    for (const text of ['current-context: dormouse', 'https://other', platform.apiUrl]) assert.ok(merged.includes(text), merged);
  });

  test('delete takes several, and with them what belonged to them', async () => {
    const { code, stdout, stderr } = await platform.tryDormouse(['delete', 'filed', 'nosuch', 'broken', 'none']);
    assert.deepEqual([code, stdout], [1, 'Deleted filed.\nDeleted broken.\nDeleted none.\n']);
    assert.match(stderr, /"nosuch" not found\n {2}See which there are: dormouse services/);
    await until('only the revisions of hello', async () => {
      const names = (await data<{ metadata: { name: string } }[]>('revisions')).map(({ metadata }) => metadata.name);
      return names.every((name) => name.startsWith('hello-')) ? true : undefined;
    });
  });
});
