/**
 * Starts a Node hello-world in turns: as a bare process, as a pod of the local engine on each runtime, and by the runtime's own `run` of the same
 * bundle; from "start" to the first HTTP 200. Then: thaw → 200, and the memory our processes add to a pod.
 *
 *     node bench/pods/engine.ts [rounds]        (as root)
 */
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { LocalImage } from '#apis/runtime/image-service.ts';
import { systemClock } from '#core/clock.ts';
import { silentLogger } from '#core/logger.ts';
import { createLocalEngine, type LocalContainerEngine, type RuntimeName } from '#providers/local/engine.ts';
import { nodeImage } from '#providers/local/testing/images.ts';
import { containerSpec, sandboxSpec } from '#providers/local/testing/specs.ts';

const rounds = Number(process.argv[2] ?? 15);
const hello = ['/usr/bin/node', '/app/server.js'];
const limits = { memoryLimitBytes: 256 * 2 ** 20, cpuLimitMillis: 2000, pidsLimit: 512 };
const figures = new Map<string, number[]>();
const directory = mkdtempSync(join(tmpdir(), 'dmbench-'));
const image = nodeImage(join(directory, 'image'));
const installed = (['runc', 'crun'] as const).filter((name) => spawnSync(name, ['--version']).error === undefined);
const bwrap = spawnSync('bwrap', ['--version']).error === undefined;

class Contestant {
  readonly engine: LocalContainerEngine;
  readonly #name: string;
  #number = 0;

  constructor(engine: LocalContainerEngine, name: string) {
    this.engine = engine;
    this.#name = name;
  }

  async start(): Promise<{ id: string; ip: string; elapsedMs: number }> {
    await this.engine.prepared();
    const id = `${this.#name}-${++this.#number}`;
    const spec = containerSpec(image, hello, join(directory, 'logs', id), { resources: limits });
    const begin = performance.now();
    const { ip } = await this.engine.createSandbox(sandboxSpec(id), AbortSignal.timeout(10_000));
    const answered = firstAnswer(ip, 8080);
    await this.engine.startContainer(id, spec, AbortSignal.timeout(10_000));
    await answered;
    return { id, ip, elapsedMs: performance.now() - begin };
  }
}

/** The runtime's own `run` of the bundle that the engine made, application as PID 1, in a network namespace that is ready. */
class OwnRun {
  readonly #runtime: 'runc' | 'crun';
  readonly #bundle = mkdtempSync(join(directory, 'bundle-'));
  readonly #ip: string;
  /** crun refuses hybrid machines unless it does not see the version 2 groups; the umount costs it a millisecond or two. */
  readonly #prefix: string;
  #number = 0;

  constructor(runtime: 'runc' | 'crun', ip: string, config: Bundle) {
    this.#runtime = runtime;
    this.#ip = ip;
    this.#prefix = runtime === 'crun' && existsSync('/sys/fs/cgroup/unified') ? 'umount /sys/fs/cgroup/unified;' : '';
    const root = join(this.#bundle, 'root');
    for (const name of ['root', 'upper', 'work', 'upper/dev', 'upper/proc', 'upper/sys', 'upper/etc']) mkdirSync(join(this.#bundle, name));
    config.root.path = root;
    config.process.args = hello;
    config.mounts = config.mounts.filter((mount) => !mount.destination.startsWith('/dev/init'));
    config.linux.cgroupsPath = `/dormouse-bench-${process.pid}/own`;
    writeFileSync(join(this.#bundle, 'config.json'), JSON.stringify(config));
  }

  async start(): Promise<number> {
    const id = `bench-${process.pid}-${++this.#number}`;
    const [root, upper, work] = ['root', 'upper', 'work'].map((name) => join(this.#bundle, name)) as [string, string, string];
    const options = `lowerdir=${image.layers.join(':')},upperdir=${upper},workdir=${work}`;
    execFileSync('mount', ['-t', 'overlay', 'overlay', '-o', options, root]);
    const begin = performance.now();
    const child = spawn('unshare', ['-m', 'sh', '-c', `${this.#prefix} exec ${this.#runtime} run --bundle ${this.#bundle} ${id}`], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const closed = new Promise((resolve) => child.once('exit', resolve));
    try {
      await Promise.race([
        firstAnswer(this.#ip, 8080),
        closed.then((code) => Promise.reject(new Error(`${this.#runtime} run: ${String(code)}`))),
      ]);
      return performance.now() - begin;
    } finally {
      spawnSync('unshare', ['-m', 'sh', '-c', `${this.#prefix} ${this.#runtime} kill ${id} KILL`]);
      await closed;
      spawnSync('unshare', ['-m', 'sh', '-c', `${this.#prefix} ${this.#runtime} delete --force ${id}`], { stdio: 'ignore' });
      execFileSync('umount', [root]);
    }
  }
}

interface Bundle {
  root: { path: string };
  process: { args: readonly string[] };
  mounts: { destination: string }[];
  linux: { cgroupsPath: string };
}

const contestants = new Map<string, Contestant>();
try {
  await main();
} finally {
  for (const contestant of contestants.values()) await contestant.engine.cleanupAll();
  execFileSync('find', ['/sys/fs/cgroup', '-depth', '-type', 'd', '-path', `*dormouse-bench-${process.pid}*`, '-exec', 'rmdir', '{}', ';']);
  rmSync(directory, { recursive: true, force: true });
}

async function main(): Promise<void> {
  for (const name of ['namespaces', ...installed, ...(bwrap ? (['bwrap'] as const) : [])] as const)
    contestants.set(name, new Contestant(await open(name), name));
  const own = new Map<string, OwnRun>();
  for (const name of installed) own.set(name, await ownRun(name, contestants.get(name) as Contestant));
  for (let round = 0; round < rounds; round++) {
    note('bare node', await bare(round));
    for (const [name, contestant] of contestants) {
      const started = await contestant.start();
      note(`engine: ${name}`, started.elapsedMs);
      if (name === 'namespaces') await thawing(contestant.engine, started);
      await contestant.engine.removeSandbox(started.id);
      const run = own.get(name);
      if (run !== undefined) note(`${name} run`, await run.start());
    }
  }
  report();
  await memory(contestants.get('namespaces') as Contestant);
}

function open(runtime: RuntimeName): Promise<LocalContainerEngine> {
  const base = join(directory, runtime);
  const dirs = { dataDir: join(base, 'data'), runDir: join(base, 'run') };
  return createLocalEngine({ ...dirs, id: base, runtime, prepared: 1, clock: systemClock, logger: silentLogger });
}

/** Takes the bundle of a container that the engine runs; its sandbox stays, for the network. */
async function ownRun(runtime: 'runc' | 'crun', contestant: Contestant): Promise<OwnRun> {
  const { id, ip } = await contestant.start();
  const slots = join(directory, runtime, 'run/s');
  const slot = readdirSync(slots).find((name) => readFileSync(join(slots, name, 'state.json'), 'utf8').includes(`"${id}"`)) ?? '';
  const bundle = JSON.parse(readFileSync(join(slots, slot, 'main.0/config.json'), 'utf8')) as Bundle;
  await contestant.engine.signalContainer(id, 'main', 'SIGKILL');
  await delay(200);
  return new OwnRun(runtime, ip, bundle);
}

async function bare(round: number): Promise<number> {
  const port = 20_000 + ((process.pid + round) % 20_000);
  const begin = performance.now();
  const child: ChildProcess = spawn(process.execPath, [join((image as LocalImage).layers[0] ?? '', 'app/server.js')], {
    stdio: 'ignore',
    env: { PORT: String(port) },
  });
  await firstAnswer('127.0.0.1', port);
  const elapsed = performance.now() - begin;
  const closed = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await closed;
  return elapsed;
}

async function thawing(engine: LocalContainerEngine, { id, ip }: { id: string; ip: string }): Promise<void> {
  await engine.freeze?.(id);
  await delay(50);
  const begin = performance.now();
  await engine.thaw?.(id);
  await firstAnswer(ip, 8080);
  note('thaw → 200', performance.now() - begin);
}

/** Resolves at the first 200, trying again every half millisecond. */
async function firstAnswer(host: string, port: number): Promise<void> {
  for (const end = performance.now() + 20_000; performance.now() < end;) {
    if (await answers(host, port)) return;
    await delay(0.5);
  }
  throw new Error(`no answer from ${host}:${port}`);
}

function answers(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    // A connection that is accepted and not answered would wait for ever; it costs the round this long instead.
    socket.setTimeout(250, () => socket.destroy());
    socket.on('connect', () => socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`));
    socket.on('data', (data) => {
      resolve(data.toString('latin1').startsWith('HTTP/1.1 200'));
      socket.destroy();
    });
    socket.on('error', () => resolve(false));
    socket.on('close', () => resolve(false));
  });
}

/** PSS of the launcher processes of ten pods, divided by ten; the holder, monitor and init of each. */
async function memory({ engine }: Contestant): Promise<void> {
  const started: string[] = [];
  for (let number = 0; number < 10; number++) {
    const id = `memory-${number}`;
    await engine.createSandbox(sandboxSpec(id), AbortSignal.timeout(10_000));
    await engine.startContainer(
      id,
      containerSpec(image, ['/usr/bin/node', '-e', 'setInterval(() => {}, 1e6)'], join(directory, 'logs', id)),
      AbortSignal.timeout(10_000),
    );
    started.push(id);
  }
  let kilobytes = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      if (!readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith(join(directory, 'namespaces/data/launcher'))) continue;
      kilobytes += Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0);
    } catch {
      // Ended meanwhile.
    }
  }
  console.log(`our processes: ${(kilobytes / started.length).toFixed(0)} kB PSS a pod`);
}

function note(name: string, ms: number): void {
  figures.set(name, [...(figures.get(name) ?? []), ms]);
}

function report(): void {
  const base = median('bare node');
  console.log(`${rounds} rounds in turns, ms to the first HTTP 200`);
  for (const [name, values] of figures) {
    const sorted = values.toSorted((a, b) => a - b);
    const cells = [median(name), sorted[Math.floor(sorted.length * 0.9)] ?? 0, sorted[0] ?? 0].map((value) => value.toFixed(1).padStart(7));
    console.log(
      `${name.padEnd(20)} median ${cells[0]}  p90 ${cells[1]}  min ${cells[2]}  bare ${(median(name) - base >= 0 ? '+' : '') + (median(name) - base).toFixed(1)}`,
    );
  }
  for (const name of installed)
    console.log(`engine on ${name} − ${name} run: ${(median(`engine: ${name}`) - median(`${name} run`)).toFixed(1)} ms`);
}

function median(name: string): number {
  const sorted = (figures.get(name) ?? []).toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
