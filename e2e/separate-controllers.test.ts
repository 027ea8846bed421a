import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { withoutKubectl } from './support/kubectl.ts';
import { startPlatform, type TestPlatform } from './support/platform.ts';
import { mustRun, Running, until } from './support/run.ts';

/**
 * Knative's controllers in processes of their own that are given a kubeconfig and nothing else: no data directory, no environment,
 * no rights but those of their service account. The platform runs without them.
 */

const launcher = fileURLToPath(new URL('../bin/dormouse.js', import.meta.url));
const example = fileURLToPath(new URL('../examples/helloworld-nodejs', import.meta.url));
const image = 'localhost/hello';
const account = 'knative-controllers';

const service = (target: string, traffic?: object[]) => ({
  apiVersion: 'serving.knative.dev/v1',
  kind: 'Service',
  metadata: { name: 'hello' },
  spec: {
    template: {
      metadata: { annotations: { 'autoscaling.knative.dev/window': '6s' } },
      spec: { containers: [{ image, env: [{ name: 'TARGET', value: target }] }] },
    },
    ...(traffic === undefined ? {} : { traffic }),
  },
});

describe('controllers in a process of their own', { skip: withoutKubectl }, () => {
  let platform: TestPlatform;
  let home: string;
  const running: Running[] = [];
  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'dormouse-controllers-'));
    platform = await startPlatform({ flags: ['--knative-controllers=off'] });
    await platform.dormouse(['build', example, '-t', image]);
    await writeFile(join(home, 'kubeconfig'), await accountKubeconfig());
  });
  after(async () => {
    for (const one of running) await one[Symbol.asyncDispose]();
    await platform[Symbol.asyncDispose]();
    await rm(home, { recursive: true, force: true });
  });

  /** A kubeconfig of the controllers' account, made as an administrator makes one. */
  async function accountKubeconfig(): Promise<string> {
    const token = await platform.kubectl(['create', 'token', account, '-n', 'knative-serving', '--duration=1h']);
    const admin = JSON.parse(await platform.kubectl(['config', 'view', '--raw', '--flatten', '-o', 'json'])) as { clusters: object[] };
    const context = { name: 'c', context: { cluster: 'dormouse', user: 'controllers' } };
    const users = [{ name: 'controllers', user: { token: token.trim() } }];
    return JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: admin.clusters,
      users,
      contexts: [context],
      'current-context': 'c',
    });
  }

  function startControllers(): Running {
    const nothing = ['-i', `HOME=${home}`, `PATH=${process.env['PATH'] ?? ''}`];
    const command = [
      process.execPath,
      launcher,
      'controllers',
      '--kubeconfig',
      join(home, 'kubeconfig'),
      '--log-level=debug',
      '--metrics-address=0',
    ];
    const started = new Running('env', [...nothing, ...command], { cwd: home });
    running.push(started);
    return started;
  }

  const read = (what: string, jsonpath: string) => platform.kubectl(['get', ...what.split(' '), '-o', `jsonpath=${jsonpath}`]);
  const holder = () => read('lease dormouse-controllers -n knative-serving', '{.spec.holderIdentity}');
  const curl = () => mustRun('curl', ['-sS', '--fail', '-H', 'Host: hello.default.localhost', platform.gatewayUrl]);
  const ready = () => platform.kubectl(['wait', 'ksvc/hello', '--for=condition=Ready', '--timeout=60s']);
  const podCount = async () =>
    (await read('pods -l serving.knative.dev/service=hello', '{.items[*].metadata.name}')).split(' ').filter(Boolean).length;

  test('without them nothing becomes of a service', async () => {
    await platform.apply(service('one'));
    assert.equal(await read('ksvc hello', '{.status}'), '');
    assert.equal(await read('configurations,routes,revisions,deployments', '{.items[*].metadata.name}'), '');
  });

  test('with a kubeconfig over HTTPS they bring it up: image resolved, ready, answering', async () => {
    const first = startControllers();
    await first.waitFor(/"message":"leading"/);
    await ready();
    assert.equal(await curl(), 'Hello one!\n');
    assert.match(
      await read('revision hello-00001', '{.status.containerStatuses[0].imageDigest}'),
      /^localhost\/hello@sha256:[0-9a-f]{64}$/,
    );
    assert.equal(await read('ksvc hello', '{.status.url}'), `http://hello.default.localhost:${platform.port('http')}`);
  });

  test('their account may do that and nothing beside', async () => {
    const can = async (...words: string[]) =>
      (await platform.tryKubectl(['auth', 'can-i', ...words, `--as=system:serviceaccount:knative-serving:${account}`])).stdout.trim();
    assert.equal(await can('create', 'revisions.serving.knative.dev'), 'yes');
    assert.equal(await can('get', 'secrets'), 'no');
    assert.equal(await can('delete', 'pods'), 'no');
    assert.equal(await can('update', 'leases', '-n', 'kube-system'), 'no');
    assert.equal(await can('get', 'configmaps', '-n', 'default'), 'no');
  });

  test('their metrics say who leads and what was reconciled', async () => {
    const [, port = ''] = /"message":"serving metrics","port":(\d+)/.exec(running[0]?.output ?? '') ?? [];
    const metrics = await mustRun('curl', ['-sS', '--fail', `http://127.0.0.1:${port}/metrics`]);
    assert.match(metrics, /^leader_election_master_status\{name="dormouse-controllers",component="controllers"\} 1$/m);
    assert.match(metrics, /^dormouse_reconcile_total\{controller="route-controller",result="done",component="controllers"\} [1-9]/m);
    assert.equal(await mustRun('curl', ['-sS', '--fail', `http://127.0.0.1:${port}/healthz`]), 'ok\n');
  });

  test('an image that cannot be had says so on the revision', async () => {
    await platform.apply({
      ...service('x'),
      metadata: { name: 'missing' },
      spec: { template: { spec: { containers: [{ image: 'localhost/none' }] } } },
    });
    await platform.kubectl(['wait', 'ksvc/missing', '--for=condition=Ready=False', '--timeout=60s']);
    assert.match(
      await read('revision missing-00001', '{.status.conditions[?(@.type=="ContainerHealthy")].message}'),
      /^Unable to fetch image "localhost\/none": /,
    );
    await platform.kubectl(['delete', 'ksvc', 'missing']);
  });

  test('to zero without traffic, and back with a request', async () => {
    await until('no pods', async () => ((await podCount()) === 0 ? true : undefined));
    assert.equal(await read('revision hello-00001', '{.status.conditions[?(@.type=="Active")].reason}'), 'NoTraffic');
    assert.equal(await curl(), 'Hello one!\n');
    // The answer comes before the status.
    await until('a replica', async () => ((await read('revision hello-00001', '{.status.actualReplicas}')) === '1' ? true : undefined));
  });

  test('traffic is split', async () => {
    const split = [
      { revisionName: 'hello-00001', percent: 50 },
      { latestRevision: true, percent: 50 },
    ];
    await platform.apply(service('two', split));
    await until('the split', async () => ((await read('ksvc hello', '{.status.traffic[*].percent}')) === '50 50' ? true : undefined));
    await ready();
    const answers = new Set(await Promise.all(Array.from({ length: 20 }, curl)));
    assert.deepEqual([...answers].toSorted(), ['Hello one!\n', 'Hello two!\n']);
  });

  test('killed while serving: the gateway goes on, and another process takes over', async () => {
    const [first] = running;
    const second = startControllers();
    await second.waitFor(/"message":"waiting to lead"/);
    const before = await holder();
    let failed = 0;
    let answered = 0;
    let over = false;
    const load = (async () => {
      while (!over) {
        await curl().then(
          () => (answered += 1),
          () => (failed += 1),
        );
      }
    })();
    try {
      first?.process.kill('SIGKILL');
      await first?.ended;
      await second.waitFor(/"message":"leading"/);
    } finally {
      over = true;
      await load;
    }
    assert.equal(failed, 0);
    assert.ok(answered > 0);
    assert.notEqual(await holder(), before);
    await platform.apply(service('three', [{ latestRevision: true, percent: 100 }]));
    await until('the third revision', async () =>
      (await read('ksvc hello', '{.status.traffic[*].revisionName}')) === 'hello-00003' ? true : undefined,
    );
    await ready();
    assert.equal(await curl(), 'Hello three!\n');
  });

  test('the successor knows the load: to zero and back', async () => {
    await until('no pods', async () => ((await podCount()) === 0 ? true : undefined));
    assert.equal(await curl(), 'Hello three!\n');
  });

  test('ended in order it gives the lease back; deleting cleans up', async () => {
    await platform.kubectl(['delete', 'ksvc', 'hello']);
    const left =
      'configurations,routes,revisions,deployments,podautoscalers.autoscaling.internal.knative.dev,ingresses.networking.internal.knative.dev';
    await until('nothing left', async () =>
      (await read(left, '{.items[*].metadata.name}')) === '' && (await podCount()) === 0 ? true : undefined,
    );
    const second = running.at(-1);
    second?.process.kill('SIGTERM');
    assert.equal(await second?.ended, 0);
    assert.equal(await holder(), '');
    for (const { output } of running) assert.doesNotMatch(output, /forbidden|"level":"error"/i);
  });
});
