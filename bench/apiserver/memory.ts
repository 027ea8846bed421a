import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { call, configMap, configMaps, startTestServer } from '../../src/apiserver/testing/server.ts';
import { SqliteStorage } from '../../src/storage/sqlite-storage.ts';

/**
 * `node bench/apiserver/memory.ts [objects]`: what API server and storage alone keep in memory for each stored object of 2 KB, after a
 * collection. Without clients and controllers, whose share is their own.
 */
const objects = Number(process.argv[2] ?? 10_000);
const payload = 'x'.repeat(1800);

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as (options: object) => void;

const directory = mkdtempSync(join(tmpdir(), 'dormouse-bench-'));
try {
  await using storage = await SqliteStorage.open({ file: join(directory, 'state.db') });
  await using server = await startTestServer({ storage });
  const before = measure('empty');
  for (let from = 0; from < objects; from += 100) {
    const batch = Array.from({ length: Math.min(100, objects - from) }, (_, index) => configMap(`c-${from + index}`, { payload }));
    await Promise.all(batch.map((body) => call(server, 'POST', configMaps, { body })));
  }
  const after = measure(`${objects} objects`);
  const each = (megabytes: number) => ((megabytes * 1024) / objects).toFixed(1);
  console.log(
    `each ${each(after.heap - before.heap)} KB heap, ${each(after.pss - before.pss)} KB PSS (what is in use is kept: at most 12 MB)`,
  );
} finally {
  rmSync(directory, { recursive: true, force: true });
}

function measure(title: string): { readonly heap: number; readonly pss: number } {
  for (let round = 0; round < 3; round += 1) collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  const heap = process.memoryUsage().heapUsed / 2 ** 20;
  const pss = Number(/^Pss:\s+(\d+)/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8'))?.[1] ?? 0) / 1024;
  console.log(`${title.padEnd(16)} ${heap.toFixed(1)} MB heap, ${pss.toFixed(0)} MB PSS`);
  return { heap, pss };
}
