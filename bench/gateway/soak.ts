/**
 * A platform of its own under load: requests (GET and POST) go through the gateway to two revisions of a Knative Service while their pods are
 * deleted one after the other, the traffic flips 50/50 → 0/100 → 100/0, and the control process (API server, controllers, autoscaler) and
 * the node agent are killed with SIGKILL again and again. Not one request may fail.
 *
 *     node bench/gateway/soak.ts [--requests 1000000] [--connections 40]        (as root)
 */
import { fork } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { pods, type Pod } from '../../src/apis/core/v1/pod.ts';
import { labels } from '../../src/apis/serving/names.ts';
import { services } from '../../src/apis/serving/v1/kinds.ts';
import type { Service } from '../../src/apis/serving/v1/schemas.ts';
import { startBed } from '../serving/support/bed.ts';

const { values } = parseArgs({
  options: { requests: { type: 'string', default: '1000000' }, connections: { type: 'string', default: '40' } },
});

interface Report {
  readonly done: number;
  readonly failures: readonly string[];
  readonly byRevision: Readonly<Record<string, number>>;
  readonly end?: boolean;
}

const image = 'soak.test/app';
const [namespace, name] = ['default', 'soak'];
const counts = { podsDeleted: 0, routeChanges: 0, control: 0, node: 0, apiErrors: 0 };
const log = (text: string) => console.log(`${(performance.now() / 1000).toFixed(1)} s  ${text}`);

await using bed = await startBed();
await bed.platform.dormouse(['build', join(import.meta.dirname, 'soak-app'), '-t', image], { timeoutMs: 120_000 });
await createService();
const over = new AbortController();
const load = fork(join(import.meta.dirname, 'soak-load.ts'), [String(bed.platform.port('http')), values.requests, values.connections]);
let last: Report = { done: 0, failures: [], byRevision: {} };
const churn = [forever(deletePods), forever(flipRoutes), forever(killProcess)];
const progress = setInterval(() => log(`${last.done} requests, ${last.failures.length} failed, ${JSON.stringify(counts)}`), 5000);
const finished = new Promise<void>((resolve) => {
  load.on('message', (message) => {
    last = message as Report;
    if (last.end === true) resolve();
  });
});
try {
  await Promise.race([finished, ...churn]);
} finally {
  over.abort();
  clearInterval(progress);
  load.kill();
}
await Promise.all(churn);
log(`${last.done} requests, ${last.failures.length} failed, ${JSON.stringify({ ...counts, ...last.byRevision })}`);
for (const failure of last.failures.slice(0, 20)) console.log(`  ${failure}`);
process.exitCode = last.failures.length === 0 ? 0 : 1;

/** Revisions soak-a and soak-b, two pods of each at least, half of the traffic for either. */
async function createService(): Promise<void> {
  const template = (revision: string) => ({
    metadata: { name: revision, annotations: { 'autoscaling.knative.dev/min-scale': '2' } },
    spec: { containerConcurrency: 10, containers: [{ name: 'app', image }] },
  });
  await bed.client.of(services).create({ metadata: { name, namespace }, spec: { template: template('soak-a') } } as Service);
  await bed.ready(new Set([name]), 60_000);
  const spec = { template: template('soak-b'), traffic: traffic(50) };
  await bed.client.of(services).patch(namespace, name, { type: 'merge', body: { spec } });
  await bed.ready(new Set([name]), 60_000);
}

function traffic(first: number): readonly object[] {
  return [
    { revisionName: 'soak-a', percent: first },
    { revisionName: 'soak-b', percent: 100 - first },
  ];
}

/** Does a step again and again until the load is over. While the control process is away the API refuses connections. */
async function forever(step: (turn: number) => Promise<void>): Promise<void> {
  for (let turn = 0; !over.signal.aborted; turn++) {
    try {
      await step(turn);
    } catch {
      counts.apiErrors++;
      await delay(100);
    }
  }
}

async function flipRoutes(turn: number): Promise<void> {
  await delay(500);
  const body = { spec: { traffic: traffic([0, 100, 50][turn % 3] as number) } };
  await bed.client.of(services).patch(namespace, name, { type: 'merge', body });
  counts.routeChanges++;
}

/** Deletes a pod of each revision in turn, never the last one that is ready. */
async function deletePods(turn: number): Promise<void> {
  await delay(300);
  const labelSelector = `${labels.revision}=${turn % 2 === 0 ? 'soak-a' : 'soak-b'}`;
  const { items } = await bed.client.of(pods).list({ namespace, labelSelector });
  const [oldest, ...others] = items.filter(isReady).toSorted((a, b) => age(a) - age(b));
  if (oldest?.metadata.name === undefined || others.length === 0) return;
  await bed.client.of(pods).delete(namespace, oldest.metadata.name);
  counts.podsDeleted++;
}

function isReady({ metadata, status }: Pod): boolean {
  const ready = status?.conditions?.some(({ type, status: state }) => type === 'Ready' && state === 'True') === true;
  return ready && metadata.deletionTimestamp === undefined;
}

function age({ metadata }: Pod): number {
  return Date.parse(metadata.creationTimestamp ?? '');
}

/** Every third time it is the node agent; the supervisor starts both again. */
async function killProcess(turn: number): Promise<void> {
  await delay(8000, undefined, { signal: over.signal }).catch(() => undefined);
  const role = turn % 3 === 2 ? 'node' : 'control';
  const pid = (await bed.processes()).get(role);
  if (pid === undefined || over.signal.aborted) return;
  process.kill(pid, 'SIGKILL');
  counts[role]++;
}
