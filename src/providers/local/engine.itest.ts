import { execFileSync, spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '#core/clock.ts';
import { silentLogger } from '#core/logger.ts';
import { createLocalEngine, type LocalEngineOptions } from '#providers/local/engine.ts';
import { describeEngine } from '#providers/local/testing/engine-contract.ts';
import { busyboxImage, noTestImages } from '#providers/local/testing/images.ts';
import { containerSpec, sandboxSpec } from '#providers/local/testing/specs.ts';

const notRoot = process.getuid?.() === 0 ? false : 'needs root';

for (const runtime of ['namespaces', 'runc', 'crun'] as const) {
  const missing = runtime !== 'namespaces' && spawnSync(runtime, ['--version']).error !== undefined ? `${runtime} is not installed` : false;
  describeEngine(runtime, notRoot || noTestImages || missing, {
    open: (directory) => createLocalEngine(options(directory, runtime)),
    severalUsers: true,
  });
}

describe('the local engine and its machine', { skip: notRoot || noTestImages }, () => {
  test('cleanupAll leaves nothing: no process, interface, mount, control group, nft table or file', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'dm-'));
    const before = traces(directory);
    const engine = await createLocalEngine(options(directory, 'namespaces'));
    await engine.prepared();
    const image = busyboxImage(join(directory, 'image'));
    for (const id of ['a', 'b']) {
      await engine.createSandbox(sandboxSpec(id), AbortSignal.timeout(5000));
      await engine.startContainer(id, containerSpec(image, ['sleep', '999'], join(directory, `${id}.log`)), AbortSignal.timeout(5000));
    }
    assert.notDeepEqual(traces(directory), before);
    await engine.cleanupAll();
    assert.deepEqual(traces(directory), before);
    assert.deepEqual(readdirSync(directory).toSorted(), ['a.log', 'b.log', 'data', 'image']);
    rmSync(directory, { recursive: true });
  });
});

function options(directory: string, runtime: NonNullable<LocalEngineOptions['runtime']>): LocalEngineOptions {
  return {
    dataDir: join(directory, 'data'),
    runDir: join(directory, 'run'),
    id: directory,
    runtime,
    prepared: 2,
    clock: systemClock,
    logger: silentLogger,
  };
}

/** What the machine shows of a platform with files in `directory`. */
function traces(directory: string): object {
  const mentions = (text: string) => text.split('\n').filter((line) => line.includes(directory));
  const interfaces = readdirSync('/sys/class/net').filter((name) => name.startsWith('dm'));
  const processes = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => mentions(commandLine(pid)));
  const groups = readdirSync('/sys/fs/cgroup', { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap((entry) => readdirSync(join('/sys/fs/cgroup', entry.name)).filter((name) => name.startsWith('dormouse-')));
  const tables = spawnSync('nft', ['list', 'tables'], { encoding: 'utf8' })
    .stdout?.split('\n')
    .filter((line) => line.includes('dormouse'));
  return { interfaces, processes, groups, tables, mounts: mentions(readFileSync('/proc/self/mounts', 'utf8')), namespaces: namespaces() };
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

function namespaces(): number {
  return execFileSync('lsns', ['--type', 'net', '--noheadings'], { encoding: 'utf8' }).trim().split('\n').length;
}
