import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { configMaps } from '#apis/core/v1/config-map.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import { createInformers } from '#client/informer.ts';
import { FakeCluster, silentEvents } from '#controller/testing.ts';
import { systemClock } from '#core/clock.ts';
import { silentLogger } from '#core/logger.ts';
import { endpointSlices, ingresses, pods, revisions, services } from '#gateway/controller/kinds.ts';
import { startGateway, type Gateway } from '#gateway/gateway.ts';
import { eventually } from '#gateway/testing/raw-client.ts';
import { httpUpstream } from '#gateway/testing/upstream.ts';

function ingress(revision: string): KubeObject {
  const split = { serviceNamespace: 'default', serviceName: revision, servicePort: 80, percent: 100 };
  return {
    apiVersion: 'networking.internal.knative.dev/v1alpha1',
    kind: 'Ingress',
    metadata: { namespace: 'default', name: 'hello', generation: 1 },
    spec: { rules: [{ hosts: ['hello.default.example.com'], visibility: 'ExternalIP', http: { paths: [{ splits: [split] }] } }] },
  } as KubeObject;
}

function revisionObjects(name: string, port: number): KubeObject[] {
  const labels = { 'serving.knative.dev/revision': name };
  const metadata = { namespace: 'default', name, labels };
  return [
    { apiVersion: 'v1', kind: 'Service', metadata, spec: { ports: [{ name: 'http', port: 80, targetPort: port }] } } as KubeObject,
    {
      apiVersion: 'serving.knative.dev/v1',
      kind: 'Revision',
      metadata,
      spec: { containerConcurrency: 2, timeoutSeconds: 5 },
    } as KubeObject,
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace: 'default', name: `${name}-pod`, uid: `${name}-uid`, labels },
      spec: { containers: [{ name: 'user-container' }] },
      status: { podIP: '127.0.0.1', conditions: [{ type: 'Ready', status: 'True' }] },
    } as KubeObject,
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { namespace: 'default', name: `${name}-x`, labels: { 'kubernetes.io/service-name': name } },
      addressType: 'IPv4',
      ports: [{ name: 'http', port }],
      endpoints: [
        { addresses: ['127.0.0.1'], conditions: { ready: true }, targetRef: { kind: 'Pod', namespace: 'default', name: `${name}-pod` } },
      ],
    } as KubeObject,
  ];
}

interface Rig extends AsyncDisposable {
  readonly cluster: FakeCluster;
  readonly gateway: Gateway;
  /** The request log. */
  readonly lines: string[];
}

async function rig(dataDir: string, objects: readonly KubeObject[], broken = false): Promise<Rig> {
  const cluster = new FakeCluster(systemClock);
  cluster.seed(...objects);
  const away = () => Promise.reject(new Error('the API server is away'));
  const client = broken ? { of: () => ({ list: away, watch: away, get: away }) as never, raw: away, stream: away } : cluster;
  const informers = createInformers(client as never);
  const stop = new AbortController();
  const lines: string[] = [];
  const gateway = await startGateway(
    {
      client: client as never,
      informers,
      events: silentEvents,
      listeners: { http: { port: 0 }, local: [{ port: 0 }], admin: { port: 0 } },
      dataDir,
      clock: systemClock,
      logger: silentLogger,
      writeRequestLog: (line) => void lines.push(line),
      stats: { report: () => {}, poke: () => {} },
    },
    stop.signal,
  );
  if (!broken) await gateway.synced;
  return {
    cluster,
    gateway,
    lines,
    async [Symbol.asyncDispose]() {
      await gateway.drain(0);
      stop.abort();
      await informers[Symbol.asyncDispose]();
    },
  };
}

function fetchBody(port: number, host: string, path = '/'): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    get({ port, host: '127.0.0.1', path, headers: { host }, agent: false }, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString()));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    }).on('error', reject);
  });
}

async function withDataDir(run: (dataDir: string) => Promise<void>): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), 'gateway-'));
  try {
    await run(dataDir);
  } finally {
    await rm(dataDir, { recursive: true });
  }
}

const host = 'hello.default.example.com';

test('config-observability switches the request log on and off, without a restart', () =>
  withDataDir(async (dataDir) => {
    await using one = await httpUpstream((_request, response) => response.end('one'));
    const data = { 'logging.enable-request-log': 'true', 'logging.request-log-template': '{{.Request.URL.Path}} {{.Response.Code}}' };
    const metadata = { namespace: 'knative-serving', name: 'config-observability' };
    const map = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data } as KubeObject;
    await using it = await rig(dataDir, [...revisionObjects('rev-1', one.port), ingress('rev-1'), map]);
    const call = (path: string) => fetchBody(it.gateway.http.port, host, path);
    await call('/first?x');
    await eventually(() => it.lines.length === 1, 'the request is logged');
    const set = (settings: Record<string, string>) =>
      it.cluster.change(configMaps, 'knative-serving', 'config-observability', (object) => (object.data = { ...data, ...settings }));
    // What is no template leaves the log as it was; what was logged by then shows which one is in use.
    set({ 'logging.request-log-template': '{{.Nope}}' });
    await call('/second');
    await eventually(() => it.lines.length === 2, 'it goes on as before');
    assert.deepEqual(it.lines, ['/first 200\n', '/second 200\n']);
    set({ 'logging.request-log-template': '' });
    await untilLogged(it, call, (line) => line?.startsWith('{') === true, 'JSON without a template');
    set({ 'logging.enable-request-log': 'false' });
    await untilLogged(it, call, (line) => line === undefined, 'nothing is logged any more');
  }));

/** Calls until the line that a call leaves behind (or none) is as wanted. */
async function untilLogged(
  it: Rig,
  call: (path: string) => Promise<unknown>,
  wanted: (line: string | undefined) => boolean,
  what: string,
): Promise<void> {
  for (let attempt = 0; attempt < 1000; attempt++) {
    it.lines.length = 0;
    await call('/again');
    if (wanted(it.lines[0])) return;
  }
  assert.fail(`never happened: ${what}`);
}

test('an Ingress is served and reported ready, and a change of it takes effect', () =>
  withDataDir(async (dataDir) => {
    await using one = await httpUpstream((_request, response) => response.end('one'));
    await using two = await httpUpstream((_request, response) => response.end('two'));
    await using it = await rig(dataDir, [...revisionObjects('rev-1', one.port), ...revisionObjects('rev-2', two.port), ingress('rev-1')]);
    const { port } = it.gateway.http;
    assert.deepEqual(await fetchBody(port, `${host.toUpperCase()}.:8080`), { status: 200, body: 'one' });
    const conditions = () => it.cluster.find(ingresses, 'default', 'hello')?.status?.conditions?.map(({ type, status }) => [type, status]);
    await eventually(() => JSON.stringify(conditions())?.includes('["Ready","True"]') === true, 'the Ingress becomes ready');
    assert.deepEqual(conditions(), [
      ['LoadBalancerReady', 'True'],
      ['NetworkConfigured', 'True'],
      ['Ready', 'True'],
    ]);
    it.cluster.change(ingresses, 'default', 'hello', (object) => {
      object.metadata.generation = 2;
      object.spec = (ingress('rev-2') as typeof object).spec ?? {};
    });
    await eventually(() => it.gateway.proxy.backends.has('revision/default/rev-2'), 'the new revision has a backend');
    assert.equal((await fetchBody(port, host)).body, 'two');
    assert.equal(
      (await fetchBody(it.gateway.local[0]?.port ?? 0, host)).status,
      404,
      'an external host is not served on the local listener',
    );
    await eventually(() => it.cluster.find(ingresses, 'default', 'hello')?.status?.observedGeneration === 2, 'status follows');
  }));

test('an Ingress whose Service is unknown keeps its previous rules and says what it waits for', () =>
  withDataDir(async (dataDir) => {
    await using one = await httpUpstream((_request, response) => response.end('one'));
    await using it = await rig(dataDir, [...revisionObjects('rev-1', one.port), ingress('rev-1')]);
    it.cluster.change(ingresses, 'default', 'hello', (object) => {
      object.metadata.generation = 2;
      object.spec = (ingress('rev-2') as typeof object).spec ?? {};
    });
    const message = () =>
      it.cluster.find(ingresses, 'default', 'hello')?.status?.conditions?.find(({ type }) => type === 'NetworkConfigured')?.message;
    await eventually(() => message() === 'Waiting for Service default/rev-2', 'the status names the Service');
    assert.equal((await fetchBody(it.gateway.http.port, host)).body, 'one');
  }));

test('a pod being deleted gets no new request and is marked drained when its last one is over', () =>
  withDataDir(async (dataDir) => {
    const held: (() => void)[] = [];
    await using one = await httpUpstream((_request, response) => void held.push(() => response.end('late')));
    await using it = await rig(dataDir, [...revisionObjects('rev-1', one.port), ingress('rev-1')]);
    const answer = fetchBody(it.gateway.http.port, host);
    await eventually(() => held.length === 1, 'the request is in the container');
    it.cluster.change(pods, 'default', 'rev-1-pod', (pod) => {
      pod.metadata.deletionTimestamp = '2026-01-01T00:00:00Z';
      pod.metadata.finalizers = ['test/hold'];
    });
    const drained = () => it.cluster.find(pods, 'default', 'rev-1-pod')?.metadata.annotations?.['gateway.dormouse.dev/drained'];
    await eventually(() => it.gateway.proxy.backends.get('revision/default/rev-1')?.pods.length === 0, 'the pod leaves the table');
    assert.equal(drained(), undefined);
    held[0]?.();
    assert.equal((await answer).body, 'late');
    await eventually(() => drained() === 'true', 'the pod is marked drained');
  }));

test('endpoints that come while a request waits are used at once', () =>
  withDataDir(async (dataDir) => {
    await using one = await httpUpstream((_request, response) => response.end('awake'));
    const objects = revisionObjects('rev-1', one.port);
    await using it = await rig(dataDir, [...objects.filter(({ kind }) => kind !== 'Pod' && kind !== 'EndpointSlice'), ingress('rev-1')]);
    const answer = fetchBody(it.gateway.http.port, host);
    await eventually(() => it.gateway.proxy.backends.get('revision/default/rev-1')?.queued === 1, 'the request waits');
    it.cluster.seed(...objects.filter(({ kind }) => kind === 'Pod'));
    assert.deepEqual(await answer, { status: 200, body: 'awake' });
    assert.equal(it.cluster.all(endpointSlices).length, 0);
  }));

test('with the API server away a restarted gateway serves the last known routes', () =>
  withDataDir(async (dataDir) => {
    await using one = await httpUpstream((_request, response) => response.end('one'));
    {
      await using it = await rig(dataDir, [...revisionObjects('rev-1', one.port), ingress('rev-1')]);
      assert.equal((await fetchBody(it.gateway.http.port, host)).status, 200);
    }
    await using it = await rig(dataDir, [], true);
    assert.deepEqual(await fetchBody(it.gateway.http.port, host), { status: 200, body: 'one' });
    const adminPort = it.gateway.admin?.port ?? 0;
    assert.equal((await fetchBody(adminPort, 'admin', '/healthz')).body, 'ok\n');
    assert.equal((await fetchBody(adminPort, 'admin', '//')).status, 404);
    assert.match(
      (await fetchBody(adminPort, 'admin', '/metrics')).body,
      /requests_total\{namespace="default",revision="rev-1",code="2xx"\} 1/,
    );
  }));

test('a request that waits for a revision is served by it although its route has moved on', () =>
  withDataDir(async (dataDir) => {
    await using one = await httpUpstream((_request, response) => response.end('one'));
    await using two = await httpUpstream((_request, response) => response.end('two'));
    const cold = revisionObjects('rev-1', one.port);
    const withoutPods = cold.filter(({ kind }) => kind !== 'Pod' && kind !== 'EndpointSlice');
    await using it = await rig(dataDir, [...withoutPods, ...revisionObjects('rev-2', two.port), ingress('rev-1')]);
    const answer = fetchBody(it.gateway.http.port, host);
    await eventually(() => it.gateway.proxy.backends.get('revision/default/rev-1')?.queued === 1, 'the request waits');
    it.cluster.change(ingresses, 'default', 'hello', (object) => {
      object.metadata.generation = 2;
      object.spec = (ingress('rev-2') as typeof object).spec ?? {};
    });
    await eventually(() => it.gateway.proxy.backends.has('revision/default/rev-2'), 'the route has moved on');
    assert.equal((await fetchBody(it.gateway.http.port, host)).body, 'two');
    it.cluster.seed(...cold.filter(({ kind }) => kind === 'Pod'));
    assert.equal((await answer).body, 'one');
    await eventually(() => !it.gateway.proxy.backends.has('revision/default/rev-1'), 'the old backend goes when it is not needed any more');
  }));

test('a revision that is deleted is not waited for, though its route stays; one whose Service alone goes is', () =>
  withDataDir(async (dataDir) => {
    const objects = revisionObjects('rev-1', 9).filter(({ kind }) => kind !== 'Pod' && kind !== 'EndpointSlice');
    await using it = await rig(dataDir, [...objects, ingress('rev-1')]);
    const backend = it.gateway.proxy.backends.get('revision/default/rev-1');
    const waiting = fetchBody(it.gateway.http.port, host);
    await eventually(() => backend?.queued === 1, 'a request waits');
    await it.cluster.of(services).delete('default', 'rev-1');
    const second = fetchBody(it.gateway.http.port, host);
    await eventually(() => backend?.queued === 2, 'another one waits');
    await it.cluster.of(revisions).delete('default', 'rev-1');
    assert.deepEqual([(await waiting).status, (await second).status], [503, 503]);
    assert.equal((await fetchBody(it.gateway.http.port, host)).body, 'the service has no ready endpoints\n');
    it.cluster.seed(...objects);
    const again = fetchBody(it.gateway.http.port, host);
    await eventually(() => backend?.queued === 1, 'requests wait again');
    await it.cluster.of(services).delete('default', 'rev-1');
    await it.cluster.of(revisions).delete('default', 'rev-1');
    assert.equal((await again).status, 503);
  }));

test('an endpoint whose pod is gone is not dialed, whatever its slice still says', () =>
  withDataDir(async (dataDir) => {
    await using one = await httpUpstream((_request, response) => response.end('one'));
    const objects = revisionObjects('rev-1', one.port).filter(({ kind }) => kind !== 'Pod');
    await using it = await rig(dataDir, [...objects, ingress('rev-1')]);
    assert.deepEqual(it.gateway.proxy.backends.get('revision/default/rev-1')?.pods, []);
  }));
