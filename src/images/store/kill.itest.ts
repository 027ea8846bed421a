import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, describe, it } from 'node:test';
import { systemClock } from '#core/clock.ts';
import { silentLogger } from '#core/logger.ts';
import { openImageStore } from '../image-store.ts';
import { digestOf } from './blob-store.ts';

describe('a killed store', () => {
  const directory = mkdtempSync(join(tmpdir(), 'dormouse-kill-'));
  after(() => rmSync(directory, { recursive: true, force: true }));

  it('has every acknowledged name with all its content, and nothing half-done', async () => {
    const acknowledged: string[] = [];
    for (let round = 0; round < 4; round += 1) acknowledged.push(...(await killedAfter(3 + round * 2, round)));
    const store = await openImageStore({ directory, rootless: true, clock: systemClock, logger: silentLogger });
    assert.ok(acknowledged.length >= 24);
    for (const name of acknowledged) {
      const { layers } = await store.ensure(name, 'Never', [], AbortSignal.timeout(30_000));
      assert.equal(readdirSync(join(layers[0] ?? '', 'd')).length, 50, name);
    }
    for await (const { digest } of store.blobs.all()) assert.equal(digestOf(readFileSync(store.blobs.path(digest))), digest);
    assert.deepEqual(readdirSync(join(directory, 'ingest')), []);
    assert.equal(
      readdirSync(join(directory, 'layers')).some((name) => name.startsWith('.unpack-')),
      false,
    );
    await store[Symbol.asyncDispose]();
  });

  /** Names acknowledged by a process that is killed in the midst of its work after the first `count`. */
  async function killedAfter(count: number, round: number): Promise<readonly string[]> {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'kill-child.ts'), directory, String(round)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const names: string[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      names.push(line);
      if (names.length === count) child.kill('SIGKILL');
    }
    return names;
  }
});
