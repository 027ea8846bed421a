import { fork, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { drainedAnnotation } from '#apis/dormouse/names.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import type { Client, WatchOptions } from '#client/client.ts';
import { createInformers } from '#client/informer.ts';
import { FakeCluster } from '#controller/testing.ts';
import { systemClock } from '#core/clock.ts';
import { jsonLogger } from '#core/logger.ts';
import { endpointSlices, ingresses, pods, type EndpointSlice, type Ingress } from '#gateway/controller/kinds.ts';
import { startGateway } from '#gateway/gateway.ts';

/**
 * `node bench/gateway/soak.ts [--requests 1000000] [--connections 40]`: requests (GET and POST) go through a gateway while pods come
 * and go (each is killed with SIGKILL once it is marked drained), the route flips 50/50 → 0/100 → 100/0, and the API is away
 * again and again. Not one request may fail.
 */
const { values } = parseArgs({
  options: { requests: { type: 'string', default: '1000000' }, connections: { type: 'string', default: '40' } },
});
const log = (text: string) => console.log(`${(performance.now() / 1000).toFixed(1)} s  ${text}`);
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

interface Report {
  readonly done: number;
  readonly failures: readonly string[];
  readonly byRevision: Readonly<Record<string, number>>;
  readonly end?: boolean;
}

const cluster = new FakeCluster(systemClock);
/** The API server as seen by the gateway: there, or away. */
let outage = new AbortController();
let away = false;
const running = new Map<string, ChildProcess>();
const counts = { started: 0, killed: 0, flips: 0, outages: 0 };

/** A client whose watches end and whose calls fail while the API is away. */
function flakyClient(): Client {
  const check = () => {
    if (away) throw new Error('the API server is away');
  };
  return {
    ...({} as Client),
    of: (resource) => {
      const real = cluster.of(resource);
      return new Proxy(real, {
        get(target, property: keyof typeof real) {
          if (property === 'watch') {
            return async function* (options: WatchOptions) {
              check();
              const signal = AbortSignal.any([options.signal, outage.signal]);
              yield* target.watch({ ...options, signal });
              check();
            };
          }
          const member = target[property] as unknown;
          if (typeof member !== 'function') return member;
          return async (...args: unknown[]) => {
            check();
            return (await (member as (...args: unknown[]) => unknown).apply(target, args)) as unknown;
          };
        },
      });
    },
  };
}

function split(revision: string, percent: number): object {
  return { serviceNamespace: 'default', serviceName: revision, servicePort: 80, percent };
}

function ingress(first: number): KubeObject {
  const splits = [split('rev-a', first), split('rev-b', 100 - first)].filter((one) => (one as { percent: number }).percent > 0);
  const rule = { hosts: ['soak.default.example.com'], visibility: 'ExternalIP', http: { paths: [{ splits }] } };
  const metadata = { namespace: 'default', name: 'soak', generation: 1 };
  return { apiVersion: 'networking.internal.knative.dev/v1alpha1', kind: 'Ingress', metadata, spec: { rules: [rule] } } as KubeObject;
}

function revision(name: string): KubeObject[] {
  const metadata = { namespace: 'default', name, labels: { 'serving.knative.dev/revision': name } };
  const slice = { namespace: 'default', name: `${name}-1`, labels: { 'kubernetes.io/service-name': name } };
  return [
    { apiVersion: 'v1', kind: 'Service', metadata, spec: { ports: [{ name: 'http', port: 80 }] } } as KubeObject,
    {
      apiVersion: 'serving.knative.dev/v1',
      kind: 'Revision',
      metadata,
      spec: { containerConcurrency: 10, timeoutSeconds: 60 },
    } as KubeObject,
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: slice,
      addressType: 'IPv4',
      ports: [{ name: 'http', port: 80 }],
      endpoints: [],
    } as unknown as KubeObject,
  ];
}

async function startPod(owner: string): Promise<void> {
  const name = `${owner}-${++counts.started}`;
  const child = fork(join(import.meta.dirname, 'soak-pod.ts'), [`${owner}/${name}`]);
  const port = await new Promise<number>((resolve) => child.once('message', (message) => resolve(message as number)));
  running.set(name, child);
  cluster.seed({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      namespace: 'default',
      name,
      uid: name,
      labels: { 'serving.knative.dev/revision': owner },
      annotations: { 'node.dormouse.dev/dial': `tcp:127.0.0.1:${port}` },
      finalizers: ['soak/pod'],
    },
    status: { podIP: '10.0.0.1', conditions: [{ type: 'Ready', status: 'True' }] },
  } as KubeObject);
  setEndpoints(owner);
}

function setEndpoints(owner: string): void {
  const ready = cluster.all(pods).filter(({ metadata }) => metadata.name?.startsWith(owner) && metadata.deletionTimestamp === undefined);
  cluster.change<EndpointSlice>(endpointSlices, 'default', `${owner}-1`, (slice) => {
    slice.endpoints = ready.map(({ metadata }) => ({
      addresses: ['10.0.0.1'],
      conditions: { ready: true },
      targetRef: { kind: 'Pod', namespace: 'default', name: metadata.name ?? '' },
    }));
  });
}

/** What the node agent does: waits for the gateway's word, then kills. */
async function stopPod(name: string): Promise<void> {
  const owner = name.replace(/-\d+$/, '');
  cluster.change(pods, 'default', name, (pod) => (pod.metadata.deletionTimestamp = new Date().toISOString()));
  setEndpoints(owner);
  for (let waited = 0; cluster.find(pods, 'default', name)?.metadata.annotations?.[drainedAnnotation] !== 'true'; waited += 5) {
    if (waited > 30_000) throw new Error(`pod ${name} was never drained`);
    await wait(5);
  }
  running.get(name)?.kill('SIGKILL');
  running.delete(name);
  counts.killed++;
  cluster.change(pods, 'default', name, (pod) => (pod.metadata.finalizers = []));
}

async function churnPods(over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    for (const owner of ['rev-a', 'rev-b']) {
      await startPod(owner);
      const oldest = [...running.keys()].find((name) => name.startsWith(owner));
      await wait(100);
      if (oldest !== undefined) await stopPod(oldest);
    }
  }
}

async function flipRoutes(over: AbortSignal): Promise<void> {
  for (let turn = 0; !over.aborted; turn++) {
    await wait(300);
    cluster.change<Ingress>(ingresses, 'default', 'soak', (object) => {
      object.metadata.generation = (object.metadata.generation ?? 0) + 1;
      object.spec = (ingress([0, 100, 50][turn % 3] as number) as Ingress).spec ?? {};
    });
    counts.flips++;
  }
}

async function breakApi(over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    await wait(1500);
    away = true;
    counts.outages++;
    outage.abort(new Error('the API server went away'));
    await wait(700);
    outage = new AbortController();
    away = false;
  }
}

const dataDir = mkdtempSync(join(tmpdir(), 'gateway-soak-'));
const logger = jsonLogger((line) => process.stdout.write(line), 'error');
cluster.seed(...revision('rev-a'), ...revision('rev-b'), ingress(50));
for (const owner of ['rev-a', 'rev-a', 'rev-b', 'rev-b']) await startPod(owner);
const client = flakyClient();
await using informers = createInformers(client);
const stop = new AbortController();
const gateway = await startGateway(
  {
    client,
    informers,
    events: { event: () => {} },
    listeners: { http: { port: 0 } },
    dataDir,
    clock: systemClock,
    logger,
    stats: { report: () => {}, poke: () => {} },
  },
  stop.signal,
);
await gateway.synced;
const over = new AbortController();
const load = fork(join(import.meta.dirname, 'soak-load.ts'), [String(gateway.http.port), values.requests, values.connections]);
let last: Report = { done: 0, failures: [], byRevision: {} };
const churn = [churnPods(over.signal), flipRoutes(over.signal), breakApi(over.signal)];
const progress = setInterval(() => log(`${last.done} requests, ${last.failures.length} failed, ${JSON.stringify(counts)}`), 5000);
const finished = new Promise<void>((resolve) => {
  load.on('message', (message) => {
    last = message as Report;
    if (last.end === true) resolve();
  });
});
await Promise.race([finished, ...churn]);
over.abort();
clearInterval(progress);
await Promise.all(churn);
for (const child of running.values()) child.kill('SIGKILL');
await gateway.drain(1000);
stop.abort();
rmSync(dataDir, { recursive: true, force: true });
log(`${last.done} requests, ${last.failures.length} failed, ${JSON.stringify({ ...counts, ...last.byRevision })}`);
for (const failure of last.failures.slice(0, 20)) console.log(`  ${failure}`);
process.exitCode = last.failures.length === 0 ? 0 : 1;
