import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { OwnNetwork, withoutOwnNetwork } from './support/own-network.ts';
import { startPlatform, type TestPlatform } from './support/platform.ts';
import { findProgram, until, type RunOptions } from './support/run.ts';

/**
 * The exercises of the book chapter, from an empty data directory, as a user types them: in a network of their own, where port 80
 * is free. Without root there is none; then EXTERNAL_IP carries the gateway's port, and nothing else differs.
 */

const example = (name: string) => fileURLToPath(new URL(`../examples/${name}`, import.meta.url));
const helloImage = 'gcr.io/knative-samples/helloworld-nodejs';

const helloWorld = (target: string, image = helloImage) => `
apiVersion: serving.knative.dev/v1alpha1
kind: Service
metadata: {name: helloworld-nodejs, namespace: default}
spec:
  runLatest:
    configuration:
      revisionTemplate:
        spec:
          container:
            image: ${image}
            env: [{name: TARGET, value: "${target}"}]
`;

const canary = (target: string) => `
apiVersion: serving.knative.dev/v1alpha1
kind: Configuration
metadata: {name: canary-deployment, namespace: default}
spec:
  template:
    spec:
      containers:
      - image: ${helloImage}
        env: [{name: TARGET, value: "${target}"}]
`;

const canaryRoute = (...traffic: [revision: string, percent: number][]) => `
apiVersion: serving.knative.dev/v1alpha1
kind: Route
metadata: {name: canary-deployment, namespace: default}
spec:
  traffic:
${traffic.map(([revision, percent]) => `  - {revisionName: ${revision}, percent: ${percent}}`).join('\n')}
`;

const autoscale = `
apiVersion: serving.knative.dev/v1alpha1
kind: Service
metadata: {name: autoscale-app, namespace: default}
spec:
  runLatest:
    configuration:
      revisionTemplate:
        metadata: {annotations: {autoscaling.knative.dev/target: "10"}}
        spec: {container: {image: "gcr.io/knative-samples/autoscale-go:0.1"}}
`;

/** What hey prints of calls that did not get 200. */
const failed = /\[(?!200\])\d+\]\t\d+ responses|Error distribution/;

const simple = (name: string, container: string) => `
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: ${name}}
spec: {template: {spec: {containers: [${container}]}}}
`;

describe('the exercises', { skip: findProgram('kubectl') === undefined && 'kubectl is not installed' }, () => {
  let network: OwnNetwork | undefined;
  let platform: TestPlatform;
  let cwd: string;
  let externalIp: string;
  before(async () => {
    network = withoutOwnNetwork() === undefined ? await OwnNetwork.create() : undefined;
    cwd = await mkdtemp(join(tmpdir(), 'dormouse-exercises-'));
    platform = await startPlatform(network === undefined ? {} : { network });
    await platform.dormouse(['build', example('helloworld-nodejs'), '-t', helloImage]);
    await platform.dormouse(['build', example('autoscale'), '-t', 'gcr.io/knative-samples/autoscale-go:0.1']);
    await platform.dormouse(['build', example('timezone'), '-t', 'localhost/timezone']);
    const command = `kubectl get svc istio-ingressgateway --namespace istio-system --output 'jsonpath={.status.loadBalancer.ingress[0].ip}'`;
    externalIp = (await platform.type(command)) + (network === undefined ? `:${platform.port('http')}` : '');
  });
  after(async () => {
    await platform[Symbol.asyncDispose]();
    await network?.[Symbol.asyncDispose]();
    await rm(cwd, { recursive: true, force: true });
  });

  const shell = (more: RunOptions = {}): RunOptions => ({ cwd, env: { EXTERNAL_IP: externalIp }, ...more });
  const type = (line: string, more: RunOptions = {}) => platform.type(line, shell(more));
  const write = (file: string, text: string) => writeFile(join(cwd, file), text);
  const condition = (what: string, name: string) =>
    type(`kubectl get ${what} -o jsonpath='{range .status.conditions[?(@.type=="${name}")]}{.status} {.reason}: {.message}{end}'`);
  const ready = (what: string) => type(`kubectl wait ${what} --for=condition=Ready --timeout=60s`);
  const revisionsOf = async (configuration: string) =>
    (
      await type(`kubectl get revisions -l serving.knative.dev/configuration=${configuration} -o jsonpath='{.items[*].metadata.name}'`)
    ).split(' ');
  const podsOf = async (service: string) => {
    const list = await type(`kubectl get pods -l serving.knative.dev/service=${service} --no-headers 2>/dev/null`);
    return list.split('\n').filter((line) => line !== '').length;
  };
  const noPods = (service: string, timeoutMs: number) =>
    until(`no pods of ${service}`, async () => ((await podsOf(service)) === 0 ? true : undefined), timeoutMs);
  const curl = (name: string, path = '') => type(`curl -sS -H "Host: ${name}.default.example.com" "http://\${EXTERNAL_IP}${path}"`);

  test('1: the parts of the platform show as running pods', async () => {
    const pods = await type('kubectl get pods --namespace knative-serving');
    for (const part of ['activator', 'autoscaler', 'controller', 'webhook']) assert.match(pods, new RegExp(`${part}\\S* +1/1 +Running`));
    await type('kubectl get pods --namespace knative-eventing');
    assert.match(await type('kubectl get nodes'), / Ready /);
  });

  test('2: hello world answers; applied again it stays one revision, changed it becomes exactly one more', async () => {
    await write('timezone.yaml', simple('timezone', '{image: localhost/timezone}'));
    await write('hello-world.yaml', helloWorld('Knative NodeJS App'));
    await type('kubectl apply -f hello-world.yaml -f timezone.yaml');
    await ready('ksvc/helloworld-nodejs');
    for (const kind of ['ksvc', 'configuration', 'revision', 'route', 'deployments']) {
      assert.match(await type(`kubectl get ${kind}`), /helloworld-nodejs/);
    }
    assert.match(externalIp, /^127\./);
    assert.match(
      await type('kubectl get route helloworld-nodejs'),
      /^NAME +URL.*\nhelloworld-nodejs +http:\/\/helloworld-nodejs\.default\./,
    );
    const call = 'curl -sS -H "Host: helloworld-nodejs.default.example.com" http://${EXTERNAL_IP}';
    assert.equal(await type(call), 'Hello Knative NodeJS App!\n');
    await type('kubectl apply -f hello-world.yaml && kubectl apply --server-side --force-conflicts -f hello-world.yaml');
    assert.deepEqual(await revisionsOf('helloworld-nodejs'), ['helloworld-nodejs-00001']);
    await write('hello-world.yaml', helloWorld('everybody'));
    await type('kubectl apply -f hello-world.yaml');
    await until('the new revision to serve', async () => ((await type(call)) === 'Hello everybody!\n' ? true : undefined));
    assert.equal((await revisionsOf('helloworld-nodejs')).length, 2);
  });

  test('2: without TARGET it says NOT SPECIFIED', async () => {
    await write('plain.yaml', simple('plain', `{image: ${helloImage}}`));
    await type('kubectl apply -f plain.yaml');
    await ready('ksvc/plain');
    assert.equal(await curl('plain'), 'Hello NOT SPECIFIED!\n');
  });

  test(
    '3: traffic moves from one revision to the next without a failed call',
    { skip: findProgram('hey') === undefined && 'hey is not installed' },
    async () => {
      const apply = async (...traffic: [revision: string, percent: number][]) => {
        await write('canary-route.yaml', canaryRoute(...traffic));
        await type('kubectl apply -f canary-route.yaml');
        await until('the route to be ready', async () => {
          const path = '{.metadata.generation}={.status.observedGeneration}={.status.conditions[?(@.type=="Ready")].status}';
          const [wanted, seen, status] = (await type(`kubectl get route canary-deployment -o jsonpath='${path}'`)).split('=');
          return wanted === seen && status === 'True' ? true : undefined;
        });
      };
      const latest = `kubectl get configurations canary-deployment -o=jsonpath='{.status.latestCreatedRevisionName}'`;
      await write('canary.yaml', canary('This is the first version - v1'));
      await type('kubectl apply -f canary.yaml');
      await ready('configuration/canary-deployment');
      const first = await type(latest);
      await apply([first, 100]);
      assert.equal(await curl('canary-deployment'), 'Hello This is the first version - v1!\n');
      await write('canary.yaml', canary('This is the second version - v2'));
      await type('kubectl apply -f canary.yaml');
      const second = await until('the second revision', async () => {
        const name = await type(latest);
        return name === first ? undefined : name;
      });
      await ready(`revision/${second}`);
      assert.deepEqual(await revisionsOf('canary-deployment'), [first, second]);

      await using load = platform.startTyped(
        'hey -z 5m -c 8 -q 50 -host canary-deployment.default.example.com "http://${EXTERNAL_IP}"',
        shell(),
      );
      for (const share of [50, 0, 100, 50]) await apply([first, share], [second, 100 - share]);
      load.process.kill('SIGINT');
      await load.ended;
      assert.match(load.output, /\[200\]\t\d+ responses/);
      assert.doesNotMatch(load.output, failed);

      const answers = (count: number) =>
        type(
          `for i in $(seq ${count}); do curl -sS -H "Host: canary-deployment.default.example.com" http://\${EXTERNAL_IP}; done | sort | uniq -c`,
        );
      assert.match(await answers(100), /^ *50 Hello This is the first version - v1!\n *50 Hello This is the second version - v2!\n$/);
      await apply([first, 0], [second, 100]);
      assert.match(await answers(50), /^ *50 Hello This is the second version - v2!\n$/);
    },
  );

  test('3: a missing revision in the Route is said and leaves the old routing', async () => {
    await write('canary-route.yaml', canaryRoute(['nowhere', 100]));
    await type('kubectl apply -f canary-route.yaml');
    const text = 'False RevisionMissing: Revision "nowhere" referenced in traffic not found.';
    await until('the route to say so', async () => ((await condition('route canary-deployment', 'Ready')) === text ? true : undefined));
    assert.match(await curl('canary-deployment'), /second version/);
  });

  test('8: the time of a zone and its errors', async () => {
    await ready('ksvc/timezone');
    const answer = await curl('timezone', '/?timezone=Europe/Berlin');
    assert.match(answer, /^Current date and time for Europe\/Berlin is \d{4}-\d\d-\d\d \d\d:\d\d:\d\d/);
    assert.match(await curl('timezone'), /Error: Timezone not provided/);
    assert.match(await curl('timezone', '/?timezone='), /Error: Timezone cannot be empty/);
    assert.match(await curl('timezone', '/?timezone=Nowhere'), /Error: Invalid timezone value/);
  });

  test('5: load makes at least five pods', { skip: findProgram('hey') === undefined && 'hey is not installed' }, async () => {
    await write('autoscale.yaml', autoscale);
    await type('kubectl apply -f autoscale.yaml');
    await ready('ksvc/autoscale-app');
    await using watch = platform.startTyped('kubectl get pods --watch', shell());
    const report = await type('hey -z 60s -c 50 -host "autoscale-app.default.example.com" "http://${EXTERNAL_IP}?sleep=1000"', {
      timeoutMs: 90_000,
    });
    assert.match(report, /\[200\]\t\d+ responses/);
    assert.doesNotMatch(report, failed);
    const running = [...watch.output.matchAll(/^(autoscale-app-\S+) +1\/1 +Running/gm)].map(([, pod]) => pod);
    assert.ok(new Set(running).size >= 5, `pods that ran: ${[...new Set(running)].join(' ')}`);
  });

  test('a failing new revision never takes traffic', async () => {
    await write('hello-world.yaml', helloWorld('broken', 'gcr.io/knative-samples/no-such-image'));
    await type('kubectl apply -f hello-world.yaml');
    const text = await until('the image to be missing', async () => {
      const said = await condition('ksvc helloworld-nodejs', 'ConfigurationsReady');
      return said.startsWith('False') ? said : undefined;
    });
    const revision = await type(`kubectl get ksvc helloworld-nodejs -o jsonpath='{.status.latestCreatedRevisionName}'`);
    const cause = `Unable to fetch image "gcr.io/knative-samples/no-such-image": `;
    assert.ok(text.startsWith(`False RevisionFailed: Revision "${revision}" failed with message: ${cause}`), text);
    assert.match(await condition(`revision ${revision}`, 'ContainerHealthy'), /^False ContainerMissing: Unable to fetch image /);
    assert.equal(await curl('helloworld-nodejs'), 'Hello everybody!\n');
  });

  test('a container that ends says how', async () => {
    await write(
      'crash.yaml',
      simple('crash', `{image: ${helloImage}, command: [node, -e, "console.error('no database'); process.exit(5)"]}`),
    );
    await type('kubectl apply -f crash.yaml');
    const text = await until('the revision to fail', async () => {
      const said = await condition('revision crash-00001', 'ContainerHealthy').catch(() => '');
      return said.startsWith('False') ? said : undefined;
    });
    assert.match(text, /^False ExitCode5: Container failed with: no database/);
  });

  test('8: nothing runs for the one that nobody called meanwhile; it answers again', async () => {
    await noPods('timezone', 90_000);
    assert.match(await curl('timezone', '/?timezone=UTC'), /^Current date and time for UTC is/);
  });

  test('5: afterwards the count falls to zero', { skip: findProgram('hey') === undefined && 'hey is not installed' }, async () => {
    await noPods('autoscale-app', 150_000);
    assert.match(await curl('autoscale-app', '/?sleep=10'), /^Slept for /);
  });
});
