import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '#core/clock.ts';
import { silentLogger } from '#core/logger.ts';
import { until } from '#core/testing.ts';
import { createLocalEngine, leaveUserNamespace, type LocalEngineOptions, type RuntimeName } from '#providers/local/engine.ts';
import { shortId } from '#providers/local/network/bridge.ts';
import { launchedProcesses } from '#providers/local/processes.ts';
import { describeEngine } from '#providers/local/testing/engine-contract.ts';
import { busyboxImage, noTestImages } from '#providers/local/testing/images.ts';
import { containerSpec, sandboxSpec } from '#providers/local/testing/specs.ts';

const notRoot = process.getuid?.() === 0 ? false : 'needs root';

for (const runtime of ['namespaces', 'runc', 'crun', 'bwrap'] as const) {
  describeEngine(runtime, notRoot || noTestImages || notInstalled(runtime), {
    open: (directory) => createLocalEngine(options(directory, runtime)),
    severalUsers: true,
    alwaysNoNewPrivileges: runtime === 'bwrap',
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

  test('pods and the bridge keep the Ethernet addresses that others remember, whoever comes and goes', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'dm-'));
    const engine = await createLocalEngine(options(directory, 'namespaces'));
    const addressOf = () => readFileSync(`/sys/class/net/dm${shortId(directory)}/address`, 'utf8').trim();
    const before = addressOf();
    assert.match(before, /^0a:58:0a:[\da-f]{2}:00:01$/, 'made of the IP address 10.n.0.1');
    const image = busyboxImage(join(directory, 'image'));
    // A bridge without an address of its own takes the lowest of its ports', each of which is random.
    for (const id of ['a', 'b', 'c', 'd', 'e', 'f']) {
      const { ip } = await engine.createSandbox(sandboxSpec(id), AbortSignal.timeout(5000));
      const bytes = ip.split('.').map((byte) => Number(byte).toString(16).padStart(2, '0'));
      const log = join(directory, `${id}.log`);
      await engine.startContainer(id, containerSpec(image, ['cat', '/sys/class/net/eth0/address'], log), AbortSignal.timeout(5000));
      await until('the address in the log', () => readFileSync(log, 'utf8').includes(`0a:58:${bytes.join(':')}`));
      assert.equal(addressOf(), before);
    }
    await engine.cleanupAll();
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

for (const runtime of ['namespaces', 'bwrap'] as const)
  describeOrdinaryUser(runtime, notRoot || noTestImages || noUserNamespaces() || notInstalled(runtime));

function describeOrdinaryUser(runtime: RuntimeName, skip: string | false): void {
  test(
    `an ordinary user runs the same contract with ${runtime} after the process has moved into a user namespace; nothing is left`,
    { skip },
    async () => {
      const directory = mkdtempSync(join(tmpdir(), 'dm-'));
      chmodSync(directory, 0o755);
      chownSync(directory, ordinaryId, ordinaryId);
      const server = createServer((_request, response) => response.end('from the host'));
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as AddressInfo;
      const published = await freePort();
      try {
        const script = join(import.meta.dirname, 'testing/rootless-contract.ts');
        const ids = ['--reuid', `${ordinaryId}`, '--regid', `${ordinaryId}`, '--clear-groups'];
        const child = spawn('setpriv', [...ids, process.execPath, script, directory, String(port), String(published), runtime], {
          stdio: ['ignore', 'pipe', 'pipe'],
          env: { PATH: process.env.PATH },
        });
        const output = Promise.all([text(child.stdout), text(child.stderr)]);
        const answer = askUntil(published, () => child.exitCode === null);
        const [code] = (await once(child, 'exit')) as [number | null];
        assert.equal(code, 0, (await output).join(''));
        assert.equal(await answer, `published ${published}`);
        await leaveUserNamespace({ dataDir: join(directory, 'data'), runDir: join(directory, 'run') });
        const left = () => launchedProcesses(join(directory, 'data/launcher'), directory);
        await until('the end of all its processes', () => left().length === 0);
      } finally {
        server.close();
        rmSync(directory, { recursive: true });
      }
    },
  );
}

function notInstalled(runtime: RuntimeName): string | false {
  return runtime !== 'namespaces' && spawnSync(runtime, ['--version']).error !== undefined ? `${runtime} is not installed` : false;
}

/** A port that was free just now. */
async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

async function askUntil(port: number, going: () => boolean): Promise<string> {
  while (going()) {
    const answer = await fetch(`http://127.0.0.1:${port}/`).then(
      (response) => response.text(),
      () => '',
    );
    if (answer !== '') return answer;
    await delay(5);
  }
  return '';
}

/** An id without a name, so without subordinate ids: one id is mapped. */
const ordinaryId = 54_321;

function noUserNamespaces(): string | false {
  const result = spawnSync('setpriv', ['--reuid', '54321', '--regid', '54321', '--clear-groups', 'unshare', '--user', 'true']);
  return result.status === 0 ? false : 'an ordinary user may not make user namespaces here (or setpriv is missing)';
}

/**
 * What the machine shows of a platform with files in `directory`, and of no other: several may run at once. A network namespace lives as long as
 * its processes and mounts, which are looked for.
 */
function traces(directory: string): object {
  const short = shortId(directory);
  const mentions = (text: string) => text.split('\n').filter((line) => line.includes(directory));
  const interfaces = readdirSync('/sys/class/net').filter((name) => name.startsWith(`dm${short.slice(0, 6)}`) || name.includes(short));
  const processes = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => mentions(commandLine(pid)));
  const groups = readdirSync('/sys/fs/cgroup', { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap((entry) => readdirSync(join('/sys/fs/cgroup', entry.name)).filter((name) => name.startsWith(`dormouse-${short}`)));
  const tables = spawnSync('nft', ['list', 'tables'], { encoding: 'utf8' })
    .stdout?.split('\n')
    .filter((line) => line.includes(short));
  return { interfaces, processes, groups, tables, mounts: mentions(readFileSync('/proc/self/mounts', 'utf8')) };
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
