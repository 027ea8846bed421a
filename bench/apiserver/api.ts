import { configMaps, type ConfigMap } from '../../src/apis/core/v1/config-map.ts';
import { createClient } from '../../src/client/api-client.ts';
import { connectionOf, loadKubeconfig } from '../../src/client/kubeconfig.ts';
import { httpsTransport } from '../../src/client/https-transport.ts';
import { startPlatform } from '../../e2e/support/platform.ts';
import { cpuMs, line, median, pssKilobytes } from '../support/process.ts';
import { measureWatch } from './watch.ts';

/**
 * The API server over HTTPS as a client sees it: creates with 1 and 64 clients (2 KB objects) and its CPU for each, gets, lists of
 * 10,000 objects as JSON and as a Table, watch latency with 100 watchers, memory. Prints one line a figure.
 */
const objects = Number(process.argv[2] ?? 10_000);
const payload = 'x'.repeat(1800);
const namespace = 'bench';

await using platform = await startPlatform();
const { connection } = connectionOf(loadKubeconfig([platform.kubeconfig]));
const client = createClient(httpsTransport(connection));
const control = Number(
  (JSON.parse(await platform.dormouse(['status', '-o', 'json'])) as { processes: { role: string; pid: number }[] }).processes.find(
    ({ role }) => role === 'control',
  )?.pid,
);
await client.raw({ method: 'POST', path: '/api/v1/namespaces', body: { metadata: { name: namespace } } });

line('memory, empty', `${(pssKilobytes(control) / 1024).toFixed(0)} MB PSS (control process)`);
await measureCreates('creates, 1 client', 1, Math.min(1000, objects));
await measureCreates('creates, 64 clients', 64, objects);
line(`memory, ${objects} objects more`, `${(pssKilobytes(control) / 1024).toFixed(0)} MB PSS (control process)`);
await measureGets();
await measureLists();
await measureWatch({
  connection,
  path: `/api/v1/namespaces/${namespace}/configmaps`,
  control,
  create: async (name) => void (await client.of(configMaps).create(object(name))),
});

async function measureCreates(title: string, clients: number, count: number): Promise<void> {
  const prefix = `c${clients}`;
  const cpuBefore = cpuMs(control);
  const startedAt = performance.now();
  let next = 0;
  await Promise.all(
    Array.from({ length: clients }, async () => {
      for (let index = next++; index < count; index = next++) await client.of(configMaps).create(object(`${prefix}-${index}`));
    }),
  );
  const seconds = (performance.now() - startedAt) / 1000;
  line(
    title,
    `${(count / seconds).toFixed(0)}/s, ${((cpuMs(control) - cpuBefore) / count).toFixed(2)} ms CPU each (control process; ${count} objects)`,
  );
}

async function measureGets(): Promise<void> {
  const count = 5000;
  const startedAt = performance.now();
  let next = 0;
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      for (let index = next++; index < count; index = next++) await client.of(configMaps).get(namespace, `c64-${index % objects}`);
    }),
  );
  line('gets, 16 clients', `${((count * 1000) / (performance.now() - startedAt)).toFixed(0)}/s`);
}

async function measureLists(): Promise<void> {
  const path = `/api/v1/namespaces/${namespace}/configmaps`;
  for (const [title, accept] of [
    ['JSON', 'application/json'],
    ['Table', 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json'],
  ] as const) {
    const times: number[] = [];
    for (let round = 0; round < 5; round += 1) times.push(await timeBytes(path, accept));
    line(`list of all as ${title}`, `${median(times).toFixed(0)} ms (median of 5, answer received, not parsed)`);
  }
}

async function timeBytes(path: string, accept: string): Promise<number> {
  const startedAt = performance.now();
  const { chunks } = await client.stream({ method: 'GET', path, headers: { accept }, signal: AbortSignal.timeout(60_000) });
  for await (const _chunk of chunks) continue;
  return performance.now() - startedAt;
}

function object(name: string): ConfigMap {
  return { metadata: { name, namespace }, data: { payload } };
}
