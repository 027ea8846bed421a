import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KubeObject } from '#apis/meta/object.ts';
import { createInformers } from '#client/informer.ts';
import { FakeCluster, silentEvents } from '#controller/testing.ts';
import { systemClock } from '#core/clock.ts';
import { silentLogger } from '#core/logger.ts';
import { ingresses, type Ingress } from '#gateway/controller/kinds.ts';
import { startGateway } from '#gateway/gateway.ts';

/**
 * `node bench/gateway/route-change.ts [routes] [changes]`: time from a change of an Ingress in the API to the first response by its new
 * rules, with many other routes in place. The API is in memory: what a real one takes comes on top.
 */
const routes = Number(process.argv[2] ?? 1000);
const changes = Number(process.argv[3] ?? 50);

async function container(name: string): Promise<number> {
  const server = createServer((_request, response) => response.end(name));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  server.unref();
  return (server.address() as AddressInfo).port;
}

function revision(name: string, port: number): KubeObject[] {
  const metadata = { namespace: 'default', name, labels: { 'serving.knative.dev/revision': name } };
  return [
    { apiVersion: 'v1', kind: 'Service', metadata, spec: { ports: [{ name: 'http', port: 80, targetPort: port }] } } as KubeObject,
    { apiVersion: 'serving.knative.dev/v1', kind: 'Revision', metadata, spec: {} } as KubeObject,
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { ...metadata, name: `${name}-pod` },
      status: { podIP: '127.0.0.1', conditions: [{ type: 'Ready', status: 'True' }] },
    } as KubeObject,
  ];
}

function ingress(index: number, target: string): KubeObject {
  const split = { serviceNamespace: 'default', serviceName: target, servicePort: 80, percent: 100 };
  const http = { paths: [{ splits: [split] }] };
  const name = `route-${index}`;
  const rules = [
    { hosts: [`${name}.default.example.com`], visibility: 'ExternalIP', http },
    { hosts: [`${name}.default`, `${name}.default.svc`, `${name}.default.svc.cluster.local`], visibility: 'ClusterLocal', http },
  ];
  const metadata = { namespace: 'default', name, generation: 1 };
  return { apiVersion: 'networking.internal.knative.dev/v1alpha1', kind: 'Ingress', metadata, spec: { rules } } as KubeObject;
}

const cluster = new FakeCluster(systemClock);
cluster.seed(...revision('rev-a', await container('rev-a')), ...revision('rev-b', await container('rev-b')));
for (let index = 0; index < routes; index++) cluster.seed(ingress(index, 'rev-a'));
const dataDir = mkdtempSync(join(tmpdir(), 'gateway-routes-'));
await using informers = createInformers(cluster);
const stop = new AbortController();
const gateway = await startGateway(
  {
    client: cluster,
    informers,
    events: silentEvents,
    listeners: { http: { port: 0 } },
    dataDir,
    clock: systemClock,
    logger: silentLogger,
    stats: { report: () => {}, poke: () => {} },
  },
  stop.signal,
);
await gateway.synced;
const isReady = (object: Ingress) => object.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;
while (!cluster.all(ingresses).every(isReady)) await new Promise((resolve) => setTimeout(resolve, 50));
const socket = connect(gateway.http.port, '127.0.0.1');
let received = '';
let arrived = () => {};
socket.setEncoding('latin1').on('data', (text: string) => {
  received += text;
  arrived();
});

async function ask(): Promise<string> {
  received = '';
  socket.write('GET / HTTP/1.1\r\nHost: route-7.default.example.com\r\n\r\n');
  while (!/rev-[ab]$/.test(received)) await new Promise<void>((resolve) => (arrived = resolve));
  return received.slice(-5);
}

const times: number[] = [];
for (let turn = 0; turn < changes; turn++) {
  const target = turn % 2 === 0 ? 'rev-b' : 'rev-a';
  const start = performance.now();
  cluster.change<Ingress>(ingresses, 'default', 'route-7', (object) => {
    object.metadata.generation = (object.metadata.generation ?? 0) + 1;
    object.spec = (ingress(7, target) as Ingress).spec ?? {};
  });
  while ((await ask()) !== target);
  times.push(performance.now() - start);
  await new Promise((resolve) => setTimeout(resolve, 20));
}
times.sort((a, b) => a - b);
const at = (share: number) => (times[Math.floor((times.length - 1) * share)] as number).toFixed(1);
console.log(`route change visible with ${routes} routes: median ${at(0.5)} ms, p95 ${at(0.95)} ms, worst ${at(1)} ms`);
socket.destroy();
await gateway.drain(0);
stop.abort();
rmSync(dataDir, { recursive: true, force: true });
process.exit(0);
