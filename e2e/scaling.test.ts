import assert from 'node:assert/strict';
import { Agent, get } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { WebSocket } from 'ws';
import { withoutKubectl } from './support/kubectl.ts';
import { startPlatform, type TestPlatform } from './support/platform.ts';
import { until, type Running } from './support/run.ts';

/** How services are scaled by their annotations, with the shortest window there is. All of them live at the same time. */

const example = (name: string) => fileURLToPath(new URL(`../examples/${name}`, import.meta.url));
const image = 'gcr.io/knative-samples/autoscale-go:0.1';
const windowMs = 6000;

/** Answers with a line a second, for as long as it is asked to. */
const streamer = `require('http').createServer((request, response) => {
  let left = Number(new URL(request.url, 'http://x').searchParams.get('seconds') ?? 1);
  const next = () => { response.write('tick\\n'); left -= 1; if (left > 0) setTimeout(next, 1000); else response.end('end\\n'); };
  next();
}).listen(process.env.PORT)`;

interface ServiceOptions {
  readonly annotations?: Readonly<Record<string, string>>;
  readonly containerConcurrency?: number;
  readonly container?: object;
  readonly rolloutDuration?: string;
}

const service = (name: string, { annotations = {}, containerConcurrency = 0, container, rolloutDuration }: ServiceOptions) => ({
  apiVersion: 'serving.knative.dev/v1',
  kind: 'Service',
  metadata: {
    name,
    ...(rolloutDuration === undefined ? {} : { annotations: { 'serving.knative.dev/rollout-duration': rolloutDuration } }),
  },
  spec: {
    template: {
      metadata: {
        annotations: Object.fromEntries(
          Object.entries({ window: '6s', ...annotations }).map(([key, value]) => [
            key.includes('/') ? key : `autoscaling.knative.dev/${key}`,
            value,
          ]),
        ),
      },
      spec: { containerConcurrency, containers: [{ image, ...container }] },
    },
  },
});

describe('scaling', { skip: withoutKubectl }, () => {
  let platform: TestPlatform;
  let watch: Running;
  before(async () => {
    platform = await startPlatform();
    await platform.dormouse(['build', example('autoscale'), '-t', image]);
    await platform.dormouse(['build', example('websocket'), '-t', 'localhost/websocket']);
    const patch = JSON.stringify({ data: { 'allow-zero-initial-scale': 'true' } });
    await platform.kubectl(['patch', 'configmap', 'config-autoscaler', '-n', 'knative-serving', '--type=merge', '-p', patch]);
    watch = platform.startKubectl(['get', 'pods', '--watch']);
    await platform.apply(
      service('initial-zero', { annotations: { 'initial-scale': '0' } }),
      service('initial-three', { annotations: { 'initial-scale': '3' } }),
      service('bounded', { annotations: { 'min-scale': '2', 'max-scale': '3', target: '1' } }),
      service('activated', { annotations: { 'activation-scale': '3' } }),
      service('patient', { annotations: { 'scale-down-delay': '60s', 'initial-scale': '1' } }),
      service('by-rps', { annotations: { metric: 'rps', target: '5', 'metric-aggregation-algorithm': 'weighted-exponential' } }),
      service('frozen', { annotations: { 'autoscaling.dormouse.dev/idle': 'freeze' } }),
      service('serial', { containerConcurrency: 1, annotations: { 'max-scale': '1' } }),
      service('streaming', { container: { command: ['node', '-e', streamer] } }),
      service('socket', { container: { image: 'localhost/websocket' } }),
      service('by-cpu', {
        annotations: { class: 'hpa.autoscaling.knative.dev', metric: 'cpu', target: '20', 'max-scale': '2' },
        container: { resources: { requests: { cpu: '50m' } } },
      }),
      service('rolling', { rolloutDuration: '10s', container: { env: [{ name: 'VERSION', value: '1' }] } }),
    );
  });
  after(async () => {
    await watch[Symbol.asyncDispose]();
    await platform[Symbol.asyncDispose]();
  });

  const read = (what: string, jsonpath: string) => platform.kubectl(['get', ...what.split(' '), '-o', `jsonpath=${jsonpath}`]);
  const ready = (name: string) =>
    platform.kubectl(['wait', `ksvc/${name}`, '--for=condition=Ready', '--timeout=90s'], { timeoutMs: 100_000 });
  /** Pods that are not on their way out. */
  const podsOf = async (name: string) => {
    const list = JSON.parse(await platform.kubectl(['get', 'pods', '-l', `serving.knative.dev/service=${name}`, '-o', 'json'])) as {
      items: { metadata: { deletionTimestamp?: string; annotations?: Record<string, string> }; status: { phase?: string } }[];
    };
    return list.items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  };
  const untilPods = (name: string, what: string, test: (count: number) => boolean, timeoutMs?: number) =>
    until(`${what} pods of ${name}`, async () => (test((await podsOf(name)).length) ? true : undefined), timeoutMs);
  const call = (name: string, path = '/', agent?: Agent): Promise<string> =>
    new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port: platform.port('http'), path, headers: { host: `${name}.default.localhost` } };
      get({ ...options, ...(agent === undefined ? {} : { agent }) }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('end', () => (response.statusCode === 200 ? resolve(text) : reject(new Error(`${response.statusCode} ${text}`))));
        response.on('error', reject);
      }).on('error', reject);
    });
  const calls = (name: string, count: number, path: string) => Promise.all(Array.from({ length: count }, () => call(name, path)));

  test('initial-scale 0: ready without ever having had a pod; the first call wakes it', async () => {
    await ready('initial-zero');
    assert.equal(await read('revision initial-zero-00001', '{.status.conditions[?(@.type=="Active")].reason}'), 'NoTraffic');
    const events = await platform.kubectl(['get', 'events', '-o', 'jsonpath={range .items[*]}{.involvedObject.name} {.reason}\n{end}']);
    assert.doesNotMatch(events, /^initial-zero-\S+ Started/m);
    assert.match(await call('initial-zero', '/?sleep=1'), /^Slept for/);
  });

  test('initial-scale 3: ready with three pods, and zero afterwards', async () => {
    await ready('initial-three');
    const scales = await read('podautoscaler initial-three-00001', '{.status.conditions[?(@.type=="ScaleTargetInitialized")].status}');
    assert.equal(scales, 'True');
    assert.equal(new Set([...watch.output.matchAll(/^(initial-three-\S+) +1\/1 +Running/gm)].map(([, pod]) => pod)).size, 3);
    await untilPods('initial-three', 'no', (count) => count === 0);
  });

  test('min-scale and max-scale hold, without and with load', async () => {
    await ready('bounded');
    assert.equal((await podsOf('bounded')).length, 2);
    const load = calls('bounded', 30, '/?sleep=3000');
    await untilPods('bounded', 'three', (count) => count === 3);
    await load;
    await untilPods('bounded', 'two', (count) => count === 2);
    assert.equal(await read('revision bounded-00001', '{.status.desiredReplicas}'), '2');
  });

  test('activation-scale: one request from zero brings three pods', async () => {
    await ready('activated');
    await untilPods('activated', 'no', (count) => count === 0);
    await Promise.all([call('activated', '/?sleep=1000'), untilPods('activated', 'three', (count) => count === 3)]);
  });

  test('scale-down-delay keeps what others have lost long ago', async () => {
    await ready('patient');
    await Promise.all([call('patient'), call('initial-zero')]);
    await untilPods('initial-zero', 'no', (count) => count === 0);
    assert.equal((await podsOf('patient')).length, 1);
  });

  test('rps as the metric: thirty requests a second make several pods of target 5', async () => {
    let stopped = false;
    const worker = async () => {
      const agent = new Agent({ keepAlive: true });
      while (!stopped) await Promise.all([call('by-rps', '/', agent), new Promise((resolve) => setTimeout(resolve, 100))]);
      agent.destroy();
    };
    const load = Promise.all([worker(), worker(), worker()]);
    await untilPods('by-rps', 'four', (count) => count >= 4).finally(() => (stopped = true));
    await load;
  });

  test('idle: freeze: the idle pod stays, frozen, and answers at once', async () => {
    await ready('frozen');
    const note = async () => (await podsOf('frozen')).map(({ metadata }) => metadata.annotations?.['node.dormouse.dev/freeze'] ?? '');
    await until('the pod to be frozen', async () => ((await note()).join() === 'true' ? true : undefined));
    assert.equal(await read('revision frozen-00001', '{.status.actualReplicas}'), '0');
    assert.match(await call('frozen', '/?sleep=1'), /^Slept for/);
    await until('the pod to be thawed', async () => ((await note()).join() === '' ? true : undefined));
    assert.equal((await podsOf('frozen')).length, 1);
  });

  test('never to zero under a request that runs or waits, a stream, or a WebSocket', async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${platform.port('http')}/`, { headers: { host: 'socket.default.localhost' } });
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    const lasts = String(3 * windowMs);
    const [first, second, stream] = await Promise.all([
      call('serial', `/?sleep=${lasts}`),
      call('serial', '/?sleep=1'),
      call('streaming', `/?seconds=${(3 * windowMs) / 1000}`),
    ]);
    assert.match(first, /^Slept for/);
    assert.match(second, /^Slept for/);
    assert.match(stream, /^(tick\n)+end\n$/);
    assert.equal((await podsOf('socket')).length, 1, 'the WebSocket has kept its pod all the time');
    const echo = new Promise((resolve) => socket.once('message', (data: Buffer) => resolve(data.toString('utf8'))));
    socket.send('still there?');
    assert.match(String(await echo), /still there\?/i);
    socket.close();
    await untilPods('socket', 'no', (count) => count === 0);
  });

  test('a burst onto a service at zero is held and answered', async () => {
    await untilPods('serial', 'no', (count) => count === 0);
    await untilPods('initial-three', 'no', (count) => count === 0);
    const answers = await calls('initial-three', 200, '/?sleep=100');
    assert.equal(answers.filter((answer) => answer.startsWith('Slept for')).length, 200);
  });

  test('rollout-duration: the traffic moves in steps', async () => {
    await ready('rolling');
    await platform.apply(service('rolling', { rolloutDuration: '10s', container: { env: [{ name: 'VERSION', value: '2' }] } }));
    const seen: string[] = [];
    await until('the rollout to end', async () => {
      const state = await read(
        'ksvc rolling',
        '{.status.conditions[?(@.type=="RoutesReady")].reason} {.status.traffic[*].percent} {.status.traffic[-1:].revisionName}',
      );
      if (seen.at(-1) !== state) seen.push(state);
      return state === ' 100 rolling-00002' ? true : undefined;
    });
    const steps = seen.filter((state) => state.startsWith('RolloutInProgress'));
    assert.ok(steps.length >= 3, seen.join('\n'));
    assert.match(steps[0] ?? '', /^RolloutInProgress 99 1 rolling-00002/);
  });

  test('class hpa: scaled by the processor time of its pods, and never to zero', async (context) => {
    if (/no cpu, memory/.test(await platform.dormouse(['status'])))
      return context.skip('this user has no control group to measure pods with');
    await ready('by-cpu');
    let burning = true;
    const burn = (async () => {
      while (burning) await call('by-cpu', '/?prime=3000000');
    })();
    await untilPods('by-cpu', '2', (count) => count === 2, 90_000);
    burning = false;
    await burn;
    const said = /New size: 2; reason: cpu resource utilization \(percentage of request\) above target/;
    await until('the event', async () => {
      const messages = ['get', 'events', '--field-selector', 'reason=SuccessfulRescale', '-o', 'jsonpath={..message}'];
      return said.test(await platform.kubectl(messages)) ? true : undefined;
    });
    assert.match(await platform.kubectl(['get', 'hpa', 'by-cpu-00001']), /cpu: \d+%\/20%\s+1\s+2\s/);
  });
});
