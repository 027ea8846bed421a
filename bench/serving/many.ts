/**
 * Many services at once: 100 woken in parallel beside 100 bare Node programs started in parallel, then as many as asked for, sleeping:
 * time until all are Ready, memory of each, time to list them, CPU of the idle platform.
 *
 *     node bench/serving/many.ts [sleeping services = 1000] [woken in parallel = 100]        (as root)
 */
import { setTimeout as delay } from 'node:timers/promises';
import { line, median, quantile } from '../support/process.ts';
import { startBare } from './support/bare.ts';
import { startBed } from './support/bed.ts';

const sleeping = Number(process.argv[2] ?? 1000);
const parallel = Number(process.argv[3] ?? 100);
const asleep = { 'autoscaling.knative.dev/initial-scale': '0' };
await using bed = await startBed();
// Until what the start left behind is collected.
await delay(30_000);
const empty = await bed.memory();
line('platform, empty', parts(empty));
line('idle CPU, empty', `${((await bed.idleCpu(20)) * 100).toFixed(2)} % of a core`);
if (parallel > 0) await wakeInParallel();
if (sleeping > 0) await createMany();

/** So that the image is unpacked, as it is where its programs have run before. */
async function runOnce(): Promise<void> {
  await bed.create('first');
  await bed.ready(new Set(['first']), 60_000);
  await bed.untilAnswered('first');
  await bed.delete('first');
}

async function wakeInParallel(): Promise<void> {
  await runOnce();
  const names = Array.from({ length: parallel }, (_, index) => `wake-${index}`);
  await Promise.all(names.map((name) => bed.create(name, asleep)));
  await bed.ready(new Set(names), 120_000);
  await delay(2000);
  const bare = await startBare(parallel);
  const begin = performance.now();
  const answers = await Promise.all(names.map((name) => bed.call(name)));
  const all = performance.now() - begin;
  const failed = answers.filter(({ status }) => status !== 200).length;
  const times = answers.map(({ elapsedMs }) => elapsedMs);
  line(
    `${parallel} woken in parallel`,
    `all in ${(all / 1000).toFixed(2)} s, ${failed} failed (p50 ${median(times).toFixed(0)} ms, max ${quantile(times, 1).toFixed(0)}); ` +
      `${parallel} bare starts ${(bare / 1000).toFixed(2)} s: ${(all / bare).toFixed(2)} ×`,
  );
  await Promise.all(names.map((name) => bed.delete(name)));
}

async function createMany(): Promise<void> {
  const names = Array.from({ length: sleeping }, (_, index) => `many-${index}`);
  const cpuBefore = await bed.cpu();
  const begin = performance.now();
  const ready = bed.ready(new Set(names), 600_000);
  let next = 0;
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      for (let index = next++; index < names.length; index = next++) await bed.create(names[index] ?? '', asleep);
    }),
  );
  const created = performance.now() - begin;
  await ready;
  line(
    `${sleeping} services, none running`,
    `created in ${(created / 1000).toFixed(1)} s, all Ready after ${((performance.now() - begin) / 1000).toFixed(1)} s`,
  );
  const used = [...(await bed.cpu())].map(([role, ms]) => `${role} ${((ms - (cpuBefore.get(role) ?? 0)) / sleeping).toFixed(0)}`);
  line('CPU of each until Ready', `${used.join(', ')} ms`);
  // Until the caches have let go of what only the making needed.
  await delay(100_000);
  const full = await bed.memory();
  line('platform with them', parts(full));
  line('memory of each', `${(((full.get('total') ?? 0) - (empty.get('total') ?? 0)) / sleeping).toFixed(1)} KB PSS over all processes`);
  line('idle CPU with them', `${((await bed.idleCpu(30)) * 100).toFixed(2)} % of a core`);
  await measureList();
}

async function measureList(): Promise<void> {
  const path = '/apis/serving.knative.dev/v1/namespaces/default/services';
  for (const [title, accept] of [
    ['JSON', 'application/json'],
    ['Table', 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json'],
  ] as const) {
    const begin = performance.now();
    const { chunks } = await bed.client.stream({ method: 'GET', path, headers: { accept }, signal: AbortSignal.timeout(60_000) });
    let size = 0;
    for await (const chunk of chunks) size += chunk.length;
    line(`list as ${title}`, `${(performance.now() - begin).toFixed(0)} ms, ${(size / 2 ** 20).toFixed(1)} MB`);
  }
}

function parts(memory: ReadonlyMap<string, number>): string {
  return [...memory].map(([role, kilobytes]) => `${role} ${(kilobytes / 1024).toFixed(0)}`).join(', ') + ' MB PSS';
}
