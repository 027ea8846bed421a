/**
 * Where the time goes, hop by hop, as a watching client sees it: from a Deployment object to the first HTTP 200 of its pod, and from a
 * request for a sleeping service to its answer. Prints minimum and median of each hop, counted from the start.
 *
 *     node bench/serving/hops.ts [rounds]        (as root)
 */
import { request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { deployments, type Deployment } from '../../src/apis/apps/v1/deployment.ts';
import { replicaSets } from '../../src/apis/apps/v1/replica-set.ts';
import { pods, type Pod } from '../../src/apis/core/v1/pod.ts';
import { endpointSlices } from '../../src/apis/discovery/v1/endpoint-slice.ts';
import type { Resource } from '../../src/apis/definition.ts';
import type { KubeObject } from '../../src/apis/meta/object.ts';
import { line, median, quantile } from '../support/process.ts';
import { helloImage, startBed } from './support/bed.ts';

const rounds = Number(process.argv[2] ?? 15);
const namespace = 'default';

/** When each hop was first seen in the present round; only objects whose name begins with `subject` count. */
class Hops {
  readonly #times = new Map<string, number[]>();
  #seen = new Set<string>();
  #subject = '-';
  #begin = 0;

  start(subject: string): void {
    this.#seen = new Set();
    this.#subject = subject;
    this.#begin = performance.now();
  }

  note(hop: string, name = this.#subject): void {
    if (!name.startsWith(this.#subject) || this.#seen.has(hop)) return;
    this.#seen.add(hop);
    this.#times.set(hop, [...(this.#times.get(hop) ?? []), performance.now() - this.#begin]);
  }

  print(title: string): void {
    console.log(title);
    const sorted = [...this.#times].toSorted(([, a], [, b]) => median(a) - median(b));
    for (const [hop, times] of sorted) line(`  ${hop}`, `${quantile(times, 0).toFixed(0)} ms, median ${median(times).toFixed(0)}`);
    this.#times.clear();
  }
}

await using bed = await startBed();
const hops = new Hops();
const stop = new AbortController();
const podIps = new Map<string, string>();
follow(deployments, ({ metadata, spec }) => {
  if ((spec?.replicas ?? 0) > 0) hops.note('deployment wants a pod', metadata.name);
});
follow(replicaSets, ({ metadata, spec }) => {
  if ((spec?.replicas ?? 0) > 0) hops.note('replica set wants a pod', metadata.name);
});
follow(pods, notePod);
follow(endpointSlices, ({ metadata, endpoints }) => {
  if (endpoints.some(({ conditions }) => conditions?.ready === true)) hops.note('endpoint ready', metadata.name);
});
await delay(1000);
await measureDeployments();
await measureWakes();
stop.abort();

function follow<T extends KubeObject>(resource: Resource<T>, see: (object: T) => void): void {
  const watch = async () => {
    for await (const { type, object } of bed.client.of(resource).watch({ namespace, signal: stop.signal })) {
      if (type === 'ADDED' || type === 'MODIFIED') see(object);
    }
  };
  void watch().catch((error: unknown) => {
    if (!stop.signal.aborted) throw error;
  });
}

function notePod({ metadata, spec, status }: Pod): void {
  hops.note('pod created', metadata.name);
  if ((spec?.nodeName ?? '') !== '') hops.note('pod bound to the node', metadata.name);
  if (status?.podIP !== undefined) podIps.set(metadata.name ?? '', status.podIP);
  if (status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') === true) hops.note('pod ready', metadata.name);
}

async function measureDeployments(): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    const name = `plain-${round}`;
    hops.start(name);
    await bed.client.of(deployments).create(deployment(name));
    hops.note('deployment stored');
    await answered(name);
    hops.note('HTTP 200 from the pod');
    await delay(500);
    await bed.client.of(deployments).delete(namespace, name);
    await delay(1000);
  }
  hops.print('Deployment → HTTP 200');
}

async function measureWakes(): Promise<void> {
  const names = Array.from({ length: rounds }, (_, round) => `wake-${round}`);
  for (const name of names) await bed.create(name, { 'autoscaling.knative.dev/initial-scale': '0' });
  await bed.ready(new Set(names), 60_000);
  await delay(2000);
  for (const name of names) {
    hops.start(`${name}-`);
    const { status } = await bed.call(name);
    if (status !== 200) throw new Error(`${name} answered ${status}`);
    hops.note('answer through the gateway');
    await delay(500);
    await bed.delete(name);
    await delay(1000);
  }
  hops.print('request for a sleeping service → answer');
}

function deployment(name: string): Deployment {
  const labels = { app: name };
  const readinessProbe = { httpGet: { path: '/', port: 8080 }, periodSeconds: 1 };
  const containers = [{ name: 'app', image: helloImage, env: [{ name: 'PORT', value: '8080' }], readinessProbe }];
  const spec = { replicas: 1, selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { containers } } };
  return { metadata: { name, namespace }, spec } as Deployment;
}

/** Asks the pod of that name itself, as soon as its address is known, until it answers. */
async function answered(name: string): Promise<void> {
  for (const deadline = performance.now() + 30_000; performance.now() < deadline; await delay(2)) {
    const [, ip] = [...podIps].find(([pod]) => pod.startsWith(`${name}-`)) ?? [];
    if (ip !== undefined && (await asks(ip))) return;
  }
  throw new Error(`${name} has not answered for half a minute`);
}

function asks(host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const sent = request({ host, port: 8080, agent: false, timeout: 1000 }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode === 200));
    });
    sent.on('timeout', () => sent.destroy());
    sent.on('error', () => resolve(false));
    sent.end();
  });
}
