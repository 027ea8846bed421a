import assert from 'node:assert/strict';
import { Agent, get } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { withoutKubectl } from './support/kubectl.ts';
import { startPlatform, type TestPlatform } from './support/platform.ts';
import { findProgram, mustRun, until } from './support/run.ts';

/** The exercises of the book chapter, as a user types them; only the gateway's address has a port where 80 is taken. */

const example = (name: string) => fileURLToPath(new URL(`../examples/${name}`, import.meta.url));
const helloImage = 'gcr.io/knative-samples/helloworld-nodejs';

const helloWorld = (target: string, name = 'helloworld-nodejs', image = helloImage) => `
apiVersion: serving.knative.dev/v1alpha1
kind: Service
metadata: {name: ${name}, namespace: default}
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

const autoscale = (name: string, annotations: string) => `
apiVersion: serving.knative.dev/v1alpha1
kind: Service
metadata: {name: ${name}, namespace: default}
spec:
  runLatest:
    configuration:
      revisionTemplate:
        metadata: {annotations: {${annotations}}}
        spec: {container: {image: "gcr.io/knative-samples/autoscale-go:0.1"}}
`;

describe('the exercises', { skip: withoutKubectl }, () => {
  let platform: TestPlatform;
  before(async () => {
    platform = await startPlatform();
    await platform.dormouse(['build', example('helloworld-nodejs'), '-t', helloImage]);
    await platform.dormouse(['build', example('autoscale'), '-t', 'gcr.io/knative-samples/autoscale-go:0.1']);
    await platform.dormouse(['build', example('timezone'), '-t', 'localhost/timezone']);
  });
  after(() => platform[Symbol.asyncDispose]());

  const curl = (name: string, path = '/') =>
    mustRun('curl', ['--silent', '--show-error', '-H', `Host: ${name}.default.example.com`, platform.gatewayUrl + path]);
  const read = (what: string, jsonpath: string) => platform.kubectl(['get', ...what.split(' '), '-o', `jsonpath=${jsonpath}`]);
  const revisionsOf = async (configuration: string) =>
    (await read(`revisions -l serving.knative.dev/configuration=${configuration}`, '{.items[*].metadata.name}')).split(' ');
  const condition = (what: string, type: string) =>
    read(what, `{range .status.conditions[?(@.type=="${type}")]}{.status} {.reason}: {.message}{end}`);
  const isReady = async (what: string) => {
    const current = await read(what, '{.metadata.generation}={.status.observedGeneration}={.status.conditions[?(@.type=="Ready")].status}');
    const [wanted, seen, status] = current.split('=');
    return wanted === seen && status === 'True' ? true : undefined;
  };
  const ready = (what: string) => until(`${what} to be ready`, () => isReady(what));
  const podsOf = async (service: string) => {
    const phases = await read(`pods -l serving.knative.dev/service=${service}`, '{.items[*].status.phase}');
    return phases.split(' ').filter((phase) => phase === 'Running').length;
  };

  test('1: the parts of the platform show as running pods', async () => {
    const pods = await platform.kubectl(['get', 'pods', '--namespace', 'knative-serving']);
    for (const part of ['activator', 'autoscaler', 'controller', 'webhook']) assert.match(pods, new RegExp(`${part}\\S* +1/1 +Running`));
    await platform.kubectl(['get', 'pods', '--namespace', 'knative-eventing']);
    assert.match(await platform.kubectl(['get', 'nodes']), / Ready /);
  });

  test('2: hello world answers; applied again it stays one revision, changed it becomes exactly one more', async () => {
    await platform.apply(helloWorld('Knative NodeJS App'));
    await ready('ksvc helloworld-nodejs');
    for (const kind of ['ksvc', 'configuration', 'revision', 'route', 'deployments']) {
      assert.match(await platform.kubectl(['get', kind]), /helloworld-nodejs/);
    }
    const ip = '{.status.loadBalancer.ingress[0].ip}';
    assert.match(await read('svc istio-ingressgateway --namespace istio-system', ip), /^127\./);
    assert.equal(await curl('helloworld-nodejs'), 'Hello Knative NodeJS App!\n');
    await platform.apply(helloWorld('Knative NodeJS App'));
    await platform.kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], { input: helloWorld('Knative NodeJS App') });
    assert.deepEqual(await revisionsOf('helloworld-nodejs'), ['helloworld-nodejs-00001']);
    await platform.apply(helloWorld('everybody'));
    await until('the new revision to serve', async () => ((await curl('helloworld-nodejs')) === 'Hello everybody!\n' ? true : undefined));
    assert.equal((await revisionsOf('helloworld-nodejs')).length, 2);
  });

  test('2: without TARGET it says NOT SPECIFIED', async () => {
    await platform.apply(`
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: plain}
spec: {template: {spec: {containers: [{image: ${helloImage}}]}}}
`);
    await ready('ksvc plain');
    assert.equal(await curl('plain'), 'Hello NOT SPECIFIED!\n');
  });

  test('3: traffic moves from one revision to the next without a failed call', async () => {
    await platform.apply(canary('This is the first version - v1'));
    await ready('configuration canary-deployment');
    const first = await read('configurations canary-deployment', '{.status.latestCreatedRevisionName}');
    await platform.apply(canaryRoute([first, 100]));
    await ready('route canary-deployment');
    assert.equal(await curl('canary-deployment'), 'Hello This is the first version - v1!\n');
    await platform.apply(canary('This is the second version - v2'));
    await ready('configuration canary-deployment');
    const second = await read('configurations canary-deployment', '{.status.latestCreatedRevisionName}');
    assert.deepEqual(await revisionsOf('canary-deployment'), [first, second]);

    const load = hammer(platform.port('http'), 'canary-deployment.default.example.com');
    for (const share of [50, 0, 100, 50]) {
      await platform.apply(canaryRoute([first, share], [second, 100 - share]));
      await ready('route canary-deployment');
    }
    const result = await load.stop();
    assert.deepEqual(result.failures, []);
    assert.ok(result.answers.size === 2, 'both revisions were called');

    const half = await ask(platform.port('http'), 'canary-deployment.default.example.com', 200);
    assert.deepEqual([half.get('Hello This is the first version - v1!'), half.get('Hello This is the second version - v2!')], [100, 100]);
    await platform.apply(canaryRoute([first, 0], [second, 100]));
    await ready('route canary-deployment');
    const all = await ask(platform.port('http'), 'canary-deployment.default.example.com', 50);
    assert.deepEqual([...all], [['Hello This is the second version - v2!', 50]]);
  });

  test('3: a missing revision in the Route is said and leaves the old routing', async () => {
    await platform.apply(canaryRoute(['nowhere', 100]));
    await until('the route to say so', async () =>
      (await condition('route canary-deployment', 'Ready')) === 'False RevisionMissing: Revision "nowhere" referenced in traffic not found.'
        ? true
        : undefined,
    );
    assert.match(await curl('canary-deployment'), /second version/);
  });

  test('a failing new revision never takes traffic', async () => {
    await platform.apply(helloWorld('broken', 'helloworld-nodejs', 'gcr.io/knative-samples/no-such-image'));
    const text = await until('the image to be missing', async () => {
      const said = await condition('ksvc helloworld-nodejs', 'ConfigurationsReady');
      return said.startsWith('False') ? said : undefined;
    });
    const revision = await read('ksvc helloworld-nodejs', '{.status.latestCreatedRevisionName}');
    const cause = `Unable to fetch image "gcr.io/knative-samples/no-such-image": `;
    assert.ok(text.startsWith(`False RevisionFailed: Revision "${revision}" failed with message: ${cause}`), text);
    assert.match(await condition(`revision ${revision}`, 'ContainerHealthy'), /^False ContainerMissing: Unable to fetch image /);
    assert.equal(await curl('helloworld-nodejs'), 'Hello everybody!\n');
  });

  test('a container that ends says how', async () => {
    await platform.apply(`
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: crash}
spec: {template: {spec: {containers: [{image: ${helloImage}, command: [node, -e, "console.error('no database'); process.exit(5)"]}]}}}
`);
    const text = await until('the revision to fail', async () => {
      const said = await condition('revision crash-00001', 'ContainerHealthy');
      return said.startsWith('False') ? said : undefined;
    });
    assert.match(text, /^False ExitCode5: Container failed with: no database/);
  });

  test(
    '5: load makes at least five pods; afterwards the count falls to zero',
    { skip: findProgram('hey') === undefined && 'hey is not installed' },
    async () => {
      await platform.apply(autoscale('autoscale-app', 'autoscaling.knative.dev/target: "10", autoscaling.knative.dev/window: 6s'));
      await ready('ksvc autoscale-app');
      const host = ['-host', 'autoscale-app.default.example.com'];
      const hey = mustRun('hey', ['-z', '20s', '-c', '50', ...host, `${platform.gatewayUrl}?sleep=1000`], { timeoutMs: 60_000 });
      await until('five pods', async () => ((await podsOf('autoscale-app')) >= 5 ? true : undefined), 20_000);
      const report = await hey;
      assert.match(report, /\[200\]\t\d+ responses/);
      assert.doesNotMatch(report, /\[[45]\d\d\]|Error distribution/);
      await until('no pods', async () => ((await podsOf('autoscale-app')) === 0 ? true : undefined), 45_000);
      assert.match(await curl('autoscale-app', '/?sleep=10'), /^Slept for /);
    },
  );

  test('8: the time of a zone, its errors, and nothing running when idle', async () => {
    await platform.apply(`
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: timezone}
spec: {template: {metadata: {annotations: {autoscaling.knative.dev/window: 6s}}, spec: {containers: [{image: localhost/timezone}]}}}
`);
    await ready('ksvc timezone');
    const answer = await curl('timezone', '/?timezone=Europe/Berlin');
    assert.match(answer, /^Current date and time for Europe\/Berlin is \d{4}-\d\d-\d\d \d\d:\d\d:\d\d/);
    assert.match(await curl('timezone', '/'), /Error: Timezone not provided/);
    assert.match(await curl('timezone', '/?timezone='), /Error: Timezone cannot be empty/);
    assert.match(await curl('timezone', '/?timezone=Nowhere'), /Error: Invalid timezone value/);
    await until('no pods', async () => ((await podsOf('timezone')) === 0 ? true : undefined), 45_000);
    assert.match(await curl('timezone', '/?timezone=UTC'), /^Current date and time for UTC is/);
  });
});

interface Answers {
  readonly answers: ReadonlyMap<string, number>;
  readonly failures: readonly string[];
}

/** Calls again and again over kept connections until it is stopped. */
function hammer(port: number, host: string): { stop(): Promise<Answers> } {
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  const answers = new Map<string, number>();
  const failures: string[] = [];
  let stopped = false;
  const worker = async () => {
    while (!stopped) {
      try {
        const text = await call(port, host, agent);
        answers.set(text, (answers.get(text) ?? 0) + 1);
      } catch (error) {
        failures.push(String(error));
      }
    }
  };
  const workers = Promise.all([worker(), worker()]);
  return {
    async stop() {
      stopped = true;
      await workers;
      agent.destroy();
      return { answers, failures };
    },
  };
}

/** How often each answer came in `count` calls. */
async function ask(port: number, host: string, count: number): Promise<ReadonlyMap<string, number>> {
  const agent = new Agent({ keepAlive: true });
  const answers = new Map<string, number>();
  for (let called = 0; called < count; called += 1) {
    const text = await call(port, host, agent);
    answers.set(text, (answers.get(text) ?? 0) + 1);
  }
  agent.destroy();
  return answers;
}

function call(port: number, host: string, agent: Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, path: '/', headers: { host }, agent }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => (response.statusCode === 200 ? resolve(text.trim()) : reject(new Error(`${response.statusCode} ${text}`))));
      response.on('error', reject);
    });
    request.on('error', reject);
  });
}
