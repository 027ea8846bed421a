import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cpuMicros, listening, run, startGateway, startHaproxy, startNginx, started, type Bench, type Contender } from './peers.ts';

/**
 * `node bench/gateway/run.ts [--windows 9] [--seconds 1] [--only name,…] [--contenders name,…]`
 *
 * All proxies are up at once and take turns, in another order each round, on one processor; wrk and the container have the other
 * one. Figures are medians over the windows. Compare only within one run: other work on the machine moves them all.
 */
const { values } = parseArgs({
  options: {
    windows: { type: 'string', default: '9' },
    seconds: { type: 'string', default: '1' },
    only: { type: 'string' },
    contenders: { type: 'string' },
  },
});

interface Scenario {
  readonly name: string;
  readonly connections: number;
  readonly path: string;
  readonly tls?: boolean;
  readonly script?: string;
  readonly headers?: readonly string[];
  /** HTTP/2 clients (h2load) with so many requests at a time on each connection. */
  readonly streams?: number;
  /** The container speaks HTTP/2, too. */
  readonly h2c?: boolean;
}

const browser = [
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36',
  'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8',
  'Accept-Language: en-GB,en;q=0.9,de;q=0.8',
  'Accept-Encoding: gzip, deflate, br',
  'Referer: http://bench.test/some/other/page',
  'Cookie: session=0123456789abcdef0123456789abcdef; theme=dark; consent=yes',
  'Upgrade-Insecure-Requests: 1',
  'Cache-Control: max-age=0',
];
const scenarios: readonly Scenario[] = [
  { name: '1KB c=50', connections: 50, path: '/1k' },
  { name: '1KB c=1', connections: 1, path: '/1k' },
  { name: '1KB c=200', connections: 200, path: '/1k' },
  { name: '100KB c=50', connections: 50, path: '/100k' },
  { name: 'POST 1KB c=50', connections: 50, path: '/1k', script: "wrk.method='POST' wrk.body=string.rep('p',1024)" },
  { name: 'chunked c=50', connections: 50, path: '/chunked' },
  { name: 'browser c=50', connections: 50, path: '/1k', headers: browser },
  { name: 'short c=50', connections: 50, path: '/1k', headers: ['Connection: close'] },
  { name: 'TLS 1KB c=50', connections: 50, path: '/1k', tls: true },
  { name: 'HTTP/2 1KB c=10x10', connections: 10, streams: 10, path: '/1k' },
  { name: 'HTTP/2 to h2c 1KB c=10x10', connections: 10, streams: 10, path: '/1k', h2c: true },
];

interface Window {
  readonly cpuPerRequest: number;
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly errors: number;
}

const dir = mkdtempSync(join(tmpdir(), 'gateway-bench-'));
try {
  await main();
} finally {
  for (const child of started) child.kill();
  rmSync(dir, { recursive: true, force: true });
}

async function main(): Promise<void> {
  const bench = prepare();
  run('0', join(dir, 'upstream'), [String(bench.upstreamPort)]);
  run('0', 'nghttpd', ['--no-tls', '-a', '127.0.0.1', '-d', join(dir, 'htdocs'), String(bench.http2UpstreamPort)]);
  await listening(bench.upstreamPort);
  await listening(bench.http2UpstreamPort ?? 0);
  const all: Contender[] = [
    await startGateway(bench, 'raw', 21100),
    await startGateway(bench, 'net', 21110),
    await startHaproxy(bench, 21120),
    await startNginx(bench, 21130),
    await startHaproxy(bench, 21140, 3),
  ];
  const contenders = all.filter(({ name }) => values.contenders === undefined || values.contenders.split(',').includes(name));
  for (const scenario of scenarios) {
    if (values.only !== undefined && !values.only.split(',').includes(scenario.name)) continue;
    await race(
      scenario,
      contenders.filter(({ name }) => canTakePart(scenario, name)),
    );
  }
}

/** The chain is there for its hops, not for handshakes; nginx speaks no HTTP/2 to containers. */
function canTakePart({ tls = false, streams = 0, h2c = false }: Scenario, name: string): boolean {
  if (name.includes(' x')) return !tls && streams === 0;
  return !(h2c && name === 'nginx');
}

function prepare(): Bench {
  execFileSync('gcc', ['-O2', '-o', join(dir, 'upstream'), join(import.meta.dirname, 'upstream.c')]);
  mkdirSync(join(dir, 'htdocs'));
  writeFileSync(join(dir, 'htdocs', '1k'), 'x'.repeat(1024));
  const bench = { dir, upstreamPort: 21090, http2UpstreamPort: 21095, certificate: join(dir, 'cert.pem'), key: join(dir, 'key.pem') };
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', bench.key];
  execFileSync('openssl', ['req', '-x509', ...key, '-out', bench.certificate, '-days', '2', ...subject], { stdio: 'ignore' });
  return bench;
}

async function race(scenario: Scenario, contenders: readonly Contender[]): Promise<void> {
  const results = new Map<string, Window[]>(contenders.map(({ name }) => [name, []]));
  for (const contender of contenders) await load(contender, scenario, 1);
  for (let round = 0; round < Number(values.windows); round++) {
    for (let turn = 0; turn < contenders.length; turn++) {
      const contender = contenders[(turn + round) % contenders.length] as Contender;
      results.get(contender.name)?.push(await load(contender, scenario, Number(values.seconds)));
    }
  }
  const medians = [...results].map(([name, windows]) => ({
    name,
    cpu: median(windows.map((one) => one.cpuPerRequest)),
    perSecond: median(windows.map((one) => one.perSecond)),
    p50: median(windows.map((one) => one.p50)),
    p99: median(windows.map((one) => one.p99)),
    errors: windows.reduce((sum, one) => sum + one.errors, 0),
  }));
  const base = medians.find(({ name }) => name === 'haproxy');
  console.log(`\n${scenario.name}\n${'proxy'.padEnd(14)} CPU us/req  /haproxy   req/s     p50 us    p99 us  /haproxy  errors`);
  for (const one of medians) {
    const cpuRatio = base === undefined ? '' : (one.cpu / base.cpu).toFixed(2);
    const tailRatio = base === undefined ? '' : (one.p99 / base.p99).toFixed(2);
    console.log(
      `${one.name.padEnd(14)} ${one.cpu.toFixed(1).padStart(9)} ${cpuRatio.padStart(9)} ${one.perSecond.toFixed(0).padStart(8)} ` +
        `${one.p50.toFixed(0).padStart(9)} ${one.p99.toFixed(0).padStart(9)} ${tailRatio.padStart(9)} ${String(one.errors).padStart(7)}`,
    );
  }
}

/** h2load tells no percentiles, but writes down every request: start, status, microseconds. */
async function loadHttp2(contender: Contender, scenario: Scenario, seconds: number): Promise<Window> {
  const { connections, streams = 1, path, h2c = false } = scenario;
  const log = join(dir, 'h2load.log');
  rmSync(log, { force: true });
  const url = `http://127.0.0.1:${contender.http2Port ?? contender.port}${path}`;
  const host = ['--header', `:authority: ${h2c ? 'h2.' : ''}bench.test`];
  const args = ['-c', '0', 'h2load', `-c${connections}`, `-m${streams}`, '-D', String(seconds), '--log-file', log, ...host, url];
  const before = cpuMicros(contender.children);
  await text('taskset', args);
  const used = cpuMicros(contender.children) - before;
  const lines = readFileSync(log, 'utf8').trim().split('\n');
  const requests = lines.map((line) => line.split('\t').map(Number));
  const times = requests.map(([, , micros = 0]) => micros).sort((a, b) => a - b);
  return {
    cpuPerRequest: used / requests.length,
    perSecond: requests.length / seconds,
    p50: times[Math.floor(times.length * 0.5)] ?? Number.NaN,
    p99: times[Math.floor(times.length * 0.99)] ?? Number.NaN,
    errors: requests.filter(([, status]) => status !== 200).length,
  };
}

async function load(contender: Contender, scenario: Scenario, seconds: number): Promise<Window> {
  if (scenario.streams !== undefined) return loadHttp2(contender, scenario, seconds);
  const url =
    scenario.tls === true ? `https://localhost:${contender.tlsPort}${scenario.path}` : `http://127.0.0.1:${contender.port}${scenario.path}`;
  const headers = (scenario.headers ?? []).flatMap((line) => ['-H', line]);
  const scriptFile = join(dir, 'script.lua');
  if (scenario.script !== undefined) writeFileSync(scriptFile, scenario.script);
  const script = scenario.script === undefined ? [] : ['-s', scriptFile];
  const args = ['-c', '0', 'wrk', '-t1', `-c${scenario.connections}`, `-d${seconds}s`, '--latency', ...headers, ...script, url];
  const before = cpuMicros(contender.children);
  const output = await text('taskset', args);
  const used = cpuMicros(contender.children) - before;
  const requests = Number(/(\d+) requests in/.exec(output)?.[1] ?? 0);
  return {
    cpuPerRequest: used / requests,
    perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1] ?? 0),
    p50: duration(/50%\s+(\S+)/.exec(output)?.[1]),
    p99: duration(/99%\s+(\S+)/.exec(output)?.[1]),
    errors: Number(/Non-2xx or 3xx responses: (\d+)/.exec(output)?.[1] ?? 0) + (/Socket errors: (.*)/.exec(output) === null ? 0 : 1),
  };
}

function text(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (part: Buffer) => (output += part.toString()));
    child.on('error', reject);
    child.on('close', () => resolve(output));
  });
}

function duration(value: string | undefined): number {
  const match = /^([\d.]+)(us|ms|s)$/.exec(value ?? '');
  if (match === null) return Number.NaN;
  return Number(match[1]) * { us: 1, ms: 1000, s: 1_000_000 }[match[2] as 'us' | 'ms' | 's'];
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.filter((one) => !Number.isNaN(one)).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
