import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { configMaps } from '../../src/apis/core/v1/config-map.ts';
import { createClient } from '../../src/client/api-client.ts';
import { httpsTransport } from '../../src/client/https-transport.ts';
import { connectionOf, loadKubeconfig } from '../../src/client/kubeconfig.ts';
import { installPackage, run } from '../support/package.ts';
import { cpuMs, line, median, monotonicMs, pssKilobytes } from '../support/process.ts';

/**
 * Time until the API server is ready: its first start on an empty data directory, later ones, later ones with 10,000 objects, from
 * the checkout and from the installed package; then memory and processor time of the idle control process. `up` is the time to
 * the platform's own "ready"; `API` is the time from the control process's start to the first 200 of /readyz.
 * `node bench/apiserver/ready.ts [objects] [rounds] [idle seconds]`
 */
const objects = Number(process.argv[2] ?? 10_000);
const rounds = Number(process.argv[3] ?? 3);
const idleSeconds = Number(process.argv[4] ?? 30);
const ticksPerSecond = 100;

const work = mkdtempSync(join(tmpdir(), 'dormouse-ready-'));
try {
  await measure('checkout', [process.execPath, join(import.meta.dirname, '..', '..', 'bin', 'dormouse.js')]);
  await measure('package', [installPackage(join(work, 'prefix')).program]);
} finally {
  rmSync(work, { recursive: true, force: true });
}

interface Platform {
  readonly upMs: number;
  readonly apiMs: number;
  readonly control: number;
}

async function measure(title: string, program: readonly string[]): Promise<void> {
  const dataDir = join(work, title);
  const dormouse = (...words: readonly string[]) =>
    run(program[0] ?? '', [...program.slice(1), ...words.filter((word) => word !== ''), `--data-dir=${dataDir}`]);
  const up = () => start(program, dataDir);
  const later = async () => {
    const times: Platform[] = [];
    for (let round = 0; round < rounds; round += 1) {
      dormouse('down');
      times.push(await up());
    }
    return times;
  };
  try {
    shown(`${title}, first start`, [await up()]);
    shown(`${title}, later starts`, await later());
    await create(join(dataDir, 'kubeconfig'));
    const last = await later();
    shown(`${title}, ${objects} objects`, last);
    const control = last.at(-1)?.control ?? 0;
    await delay(12_000);
    const before = cpuMs(control);
    await delay(idleSeconds * 1000);
    const percent = ((cpuMs(control) - before) / (idleSeconds * 1000)) * 100;
    line(
      `${title}, idle with them`,
      `${(pssKilobytes(control) / 1024).toFixed(0)} MB PSS, ${percent.toFixed(2)} % of a processor (control process)`,
    );
  } finally {
    dormouse('down');
  }
}

/** Starts it detached, and asks for /readyz all the while. */
async function start(program: readonly string[], dataDir: string): Promise<Platform> {
  const startedAt = monotonicMs();
  const port = 20_000 + Math.floor(Math.random() * 10_000);
  const words = [
    'up',
    '--detach',
    `--api-port=${port}`,
    ...['http', 'https', 'registry', 'kubelet', 'admin'].map((name) => `--${name}-port=0`),
  ];
  const child = spawn(program[0] ?? '', [...program.slice(1), ...words, `--data-dir=${dataDir}`], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const ended = once(child, 'exit');
  while (!(await isReady(port)) && child.exitCode === null) await delay(5);
  const readyAt = monotonicMs();
  const [code] = (await ended) as [number];
  if (code !== 0) throw new Error(`dormouse up ended with ${code}`);
  const upMs = monotonicMs() - startedAt;
  const status = run(program[0] ?? '', [...program.slice(1), 'status', '-o', 'json', `--data-dir=${dataDir}`]);
  const { processes } = JSON.parse(status) as { processes: { role: string; pid: number }[] };
  const control = processes.find(({ role }) => role === 'control')?.pid ?? 0;
  return { upMs, apiMs: readyAt - startOf(control), control };
}

function isReady(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const asked = request({ host: '127.0.0.1', port, path: '/readyz', rejectUnauthorized: false, agent: false }, (answer) => {
    answer.resume();
    resolve(answer.statusCode === 200);
  });
  asked.on('error', () => resolve(false));
  asked.end();
  return promise;
}

/** When a process was started, on the clock of `monotonicMs` (which stands still while the machine sleeps, as benches do not). */
function startOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[19]) * 1000) / ticksPerSecond;
}

async function create(kubeconfig: string): Promise<void> {
  const transport = httpsTransport(connectionOf(loadKubeconfig([kubeconfig])).connection);
  const client = createClient(transport);
  let next = 0;
  await Promise.all(
    Array.from({ length: 32 }, async () => {
      for (let index = next++; index < objects; index = next++) {
        await client.of(configMaps).create({ metadata: { name: `c-${index}`, namespace: 'default' }, data: { payload: 'x'.repeat(1800) } });
      }
    }),
  );
  await transport[Symbol.asyncDispose]();
}

function shown(title: string, times: readonly Platform[]): void {
  const up = median(times.map(({ upMs }) => upMs)).toFixed(0);
  const api = median(times.map(({ apiMs }) => apiMs)).toFixed(0);
  line(
    title,
    `API ready ${api} ms after its process began, the whole platform ${up} ms after the command${times.length > 1 ? ` (medians of ${times.length})` : ''}`,
  );
}
