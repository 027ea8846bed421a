import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SqliteStorage } from '#storage/sqlite-storage.ts';
import { Etcd, hasEtcd } from './etcd-client.ts';

/**
 * `node bench/apiserver/storage.ts [seconds per run]`: durable puts of 2 KB values by 1 and 64 clients, gets, and a list of
 * 10,000, for the SQLite storage and (alternately, on the same file system) Debian's etcd. Both acknowledge after fdatasync.
 * Ours is called in process, which is how the API server uses it; etcd over gRPC, which is how an API server uses that. The
 * line "gRPC alone" (a read of a key that is not there) tells what part of etcd's figures the protocol and this client are.
 */
const runMs = Number(process.argv[2] ?? 1.5) * 1000;
const rounds = 2;
const listed = 10_000;
const value = JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', data: { text: 'x'.repeat(1960) } });
const valueBytes = Buffer.from(value);

interface Figures {
  perSecond: number;
  p50: number;
  p99: number;
  clientCpu: number;
}

/** `clients` loops of `operation`, each waiting for its answer. Times in µs; CPU in µs per operation of this process. */
async function measure(clients: number, operation: (n: number) => Promise<unknown>): Promise<Figures> {
  const latencies: number[] = [];
  const cpu = process.cpuUsage();
  const start = performance.now();
  let next = 0;
  const client = async () => {
    for (let now = performance.now(); now - start < runMs;) {
      await operation(next++);
      const after = performance.now();
      latencies.push(after - now);
      now = after;
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  const seconds = (performance.now() - start) / 1000;
  const used = process.cpuUsage(cpu);
  latencies.sort((a, b) => a - b);
  const at = (quantile: number) => (latencies[Math.floor(latencies.length * quantile)] ?? 0) * 1000;
  return { perSecond: latencies.length / seconds, p50: at(0.5), p99: at(0.99), clientCpu: (used.user + used.system) / latencies.length };
}

const results = new Map<string, Figures[]>();
async function record(name: string, clients: number, operation: (n: number) => Promise<unknown>): Promise<void> {
  results.set(name, [...(results.get(name) ?? []), await measure(clients, operation)]);
}

const directory = mkdtempSync(join(tmpdir(), 'dormouse-bench-'));
try {
  const withEtcd = hasEtcd();
  if (!withEtcd) console.log('etcd is not installed (apt install etcd-server): only our own figures');
  await using storage = await SqliteStorage.open({ file: join(directory, 'ours', 'state.db') });
  await using etcd = withEtcd ? await Etcd.start(join(directory, 'etcd')) : undefined;

  for (let round = 0; round < rounds; round++) {
    for (const clients of [1, 64]) {
      const key = (n: number) => `/registry/configmaps/r${round}c${clients}/${n}`;
      await record(`put, ${clients}`, clients, (n) => storage.write({ key: key(n), value, expected: 0 }));
      if (etcd !== undefined) await record(`etcd put, ${clients}`, clients, (n) => etcd.put(key(n), valueBytes));
    }
    await record('update, 64', 64, (n) => storage.write({ key: `/registry/hot/${n % 1000}`, value, expected: undefined }));
    if (etcd !== undefined) await record('etcd update, 64', 64, (n) => etcd.put(`/registry/hot/${n % 1000}`, valueBytes));
    await record('get, 1', 1, (n) => storage.get(`/registry/hot/${n % 1000}`));
    if (etcd !== undefined) {
      await record('etcd get, 1', 1, (n) => etcd.range(`/registry/hot/${n % 1000}`));
      await record('etcd get, 64', 64, (n) => etcd.range(`/registry/hot/${n % 1000}`));
      await record('etcd gRPC alone, 64', 64, () => etcd.range('/missing'));
    }
  }
  for (let from = 0; from < listed; from += 100) {
    await Promise.all(
      Array.from({ length: 100 }, async (_, i) => {
        const key = `/registry/list/${from + i}`;
        await storage.write({ key, value, expected: 0 });
        await etcd?.put(key, valueBytes);
      }),
    );
  }
  await record(`list ${listed}, 1`, 1, () => storage.list('/registry/list/'));
  await record('list 500, 1', 1, () => storage.list('/registry/list/', { limit: 500 }));
  if (etcd !== undefined) await record(`etcd list ${listed}, 1`, 1, () => etcd.range('/registry/list/', '/registry/list0'));
  print();
} finally {
  rmSync(directory, { recursive: true, force: true });
}

function best(name: string): Figures | undefined {
  return results.get(name)?.toSorted((a, b) => b.perSecond - a.perSecond)[0];
}

function print(): void {
  console.log(
    `\n${'operation, clients'.padEnd(22)} ${'/s'.padStart(9)} ${'p50 µs'.padStart(9)} ${'p99 µs'.padStart(9)} ${'CPU µs/op here'.padStart(15)}`,
  );
  for (const name of results.keys()) {
    const figures = best(name);
    if (figures === undefined) continue;
    const columns = [figures.perSecond, figures.p50, figures.p99].map((figure) => figure.toFixed(0).padStart(9));
    console.log(`${name.padEnd(22)} ${columns.join(' ')} ${figures.clientCpu.toFixed(1).padStart(15)}`);
  }
  for (const name of ['put, 1', 'put, 64', 'update, 64', 'get, 1', `list ${listed}, 1`]) {
    const [ours, theirs] = [best(name), best(`etcd ${name}`)];
    if (ours !== undefined && theirs !== undefined)
      console.log(`ratio ours / etcd, ${name}: ${(ours.perSecond / theirs.perSecond).toFixed(2)}`);
  }
  console.log(`(the better of ${rounds} rounds of ${runMs / 1000} s each; values of ${valueBytes.length} bytes)`);
}
