/**
 * How long a service takes to answer: from `create` (image present), from zero, from frozen, and in a burst onto nothing. The bare Node
 * program is started in turns with the cold starts.
 *
 *     node bench/serving/start.ts [rounds]        (as root)
 */
import { setTimeout as delay } from 'node:timers/promises';
import { pods } from '../../src/apis/core/v1/pod.ts';
import { freezeAnnotation, idleAnnotation } from '../../src/apis/dormouse/names.ts';
import { labels } from '../../src/apis/serving/names.ts';
import { until } from '../../e2e/support/run.ts';
import { line, median, quantile } from '../support/process.ts';
import { startBare } from './support/bare.ts';
import { autoscaleImage, startBed } from './support/bed.ts';

const rounds = Number(process.argv[2] ?? 20);
const initialScale = 'autoscaling.knative.dev/initial-scale';
await using bed = await startBed();
await measureCreate();
await measureCold();
await measureFrozen();
await measureBurst();

async function measureCreate(): Promise<void> {
  const [ready, answered]: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round += 1) {
    const name = `create-${round}`;
    const begin = performance.now();
    await bed.create(name);
    await bed.ready(new Set([name]), 60_000);
    ready.push(performance.now() - begin);
    await bed.untilAnswered(name);
    answered.push(performance.now() - begin);
    await bed.delete(name);
  }
  line('create → Ready', spread(ready));
  line('create → Ready → first 200', spread(answered));
}

async function measureCold(): Promise<void> {
  const names = Array.from({ length: rounds }, (_, round) => `cold-${round}`);
  for (const name of names) await bed.create(name, { [initialScale]: '0' });
  await bed.ready(new Set(names), 60_000);
  await delay(1000);
  const [cold, bare]: [number[], number[]] = [[], []];
  for (const name of names) {
    bare.push(await startBare(1));
    const { status, elapsedMs } = await bed.call(name);
    if (status !== 200) throw new Error(`${name} answered ${status}`);
    cold.push(elapsedMs);
    await bed.delete(name);
  }
  line(
    'cold start (0 → 1) → 200',
    `${spread(cold)}; bare node ${median(bare).toFixed(0)} ms, ${(median(cold) - median(bare)).toFixed(0)} more`,
  );
}

async function measureFrozen(): Promise<void> {
  const name = 'frozen';
  await bed.create(name, { [idleAnnotation]: 'freeze', 'autoscaling.knative.dev/window': '6s' });
  await bed.ready(new Set([name]), 60_000);
  const times: number[] = [];
  for (let round = 0; round < Math.min(rounds, 5); round += 1) {
    await until('the pod to be frozen', async () => ((await frozenPods(name)) > 0 ? true : undefined));
    await delay(500);
    const { status, elapsedMs } = await bed.call(name);
    if (status !== 200) throw new Error(`${name} answered ${status}`);
    times.push(elapsedMs);
    // The answer comes before the pod is marked as thawed.
    await until('the pod to be thawed', async () => ((await frozenPods(name)) === 0 ? true : undefined));
  }
  line('frozen → 200', spread(times));
  await bed.delete(name);
}

async function frozenPods(service: string): Promise<number> {
  const { items } = await bed.client.of(pods).list({ namespace: 'default', labelSelector: `${labels.service}=${service}` });
  return items.filter(({ metadata }) => metadata.annotations?.[freezeAnnotation] === 'true').length;
}

/** 200 requests of 100 ms each at once onto a service with nothing running. */
async function measureBurst(): Promise<void> {
  const name = 'burst';
  await bed.create(name, { [initialScale]: '0', 'autoscaling.knative.dev/target': '50' }, autoscaleImage);
  await bed.ready(new Set([name]), 60_000);
  await delay(1000);
  const answers = await Promise.all(Array.from({ length: 200 }, () => bed.call(name, '/?sleep=100')));
  const failed = answers.filter(({ status }) => status !== 200).length;
  line('burst 0 → 200 of 100 ms', `${failed} failed; ${spread(answers.map(({ elapsedMs }) => elapsedMs))}`);
}

function spread(values: readonly number[]): string {
  return `p50 ${median(values).toFixed(0)} ms, p99 ${quantile(values, 0.99).toFixed(0)} ms (${values.length})`;
}
