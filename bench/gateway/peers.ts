import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { cLibraryHabits } from '#platform/supervisor/c-library.ts';

/** One proxy in the race. */
export interface Contender {
  readonly name: string;
  readonly port: number;
  readonly tlsPort: number | undefined;
  /** Where it takes HTTP/2 by prior knowledge; default: where it takes HTTP/1.1. */
  readonly http2Port?: number;
  readonly children: readonly ChildProcess[];
}

export interface Bench {
  readonly dir: string;
  readonly upstreamPort: number;
  /** Where a container speaks HTTP/2 alone; requests for `h2.bench.test` go there. */
  readonly http2UpstreamPort?: number;
  readonly certificate: string;
  readonly key: string;
}

/** The proxies run on this processor, load and container on the other one. */
const proxyCpu = '1';

export const started: ChildProcess[] = [];

export function run(cpu: string | undefined, command: string, args: readonly string[], more: NodeJS.ProcessEnv = {}): ChildProcess {
  const [file, rest] = cpu === undefined ? [command, args] : ['taskset', ['-c', cpu, command, ...args]];
  const child = spawn(file, [...rest], { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, ...more } });
  started.push(child);
  return child;
}

export async function listening(port: number): Promise<void> {
  for (let attempt = 0; attempt < 500; attempt++) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy();
        resolve(true);
      });
      socket.on('error', () => resolve(false));
    });
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`nothing listens on ${port}`);
}

/** As the platform starts it. */
export async function startGateway(bench: Bench, transport: 'raw' | 'net', port: number, routes = 1): Promise<Contender> {
  const entry = join(import.meta.dirname, 'gateway-process.ts');
  const tlsPort = port + 1;
  const tls = [tlsPort, bench.certificate, bench.key];
  const args = [entry, port, bench.upstreamPort, transport, routes, ...tls, bench.http2UpstreamPort ?? 0].map(String);
  const child = run(proxyCpu, process.execPath, args, cLibraryHabits);
  await listening(tlsPort);
  return { name: `gateway ${transport}`, port, tlsPort, children: [child] };
}

export async function startHaproxy(bench: Bench, port: number, chain = 1): Promise<Contender> {
  const children: ChildProcess[] = [];
  const pem = join(bench.dir, 'both.pem');
  writeFileSync(pem, readFileSync(bench.certificate, 'utf8') + readFileSync(bench.key, 'utf8'));
  for (let hop = chain - 1; hop >= 0; hop--) {
    const here = port + 10 * hop;
    const next = hop === chain - 1 ? bench.upstreamPort : port + 10 * (hop + 1);
    const file = join(bench.dir, `haproxy-${here}.cfg`);
    writeFileSync(file, haproxyConfig(bench, here, next, pem));
    children.push(run(proxyCpu, 'haproxy', ['-db', '-f', file]));
    await listening(here);
  }
  return { name: chain === 1 ? 'haproxy' : `haproxy x${chain}`, port, tlsPort: port + 1, children };
}

function haproxyConfig(bench: Bench, port: number, next: number, pem: string): string {
  return `global
  nbthread 1
  maxconn 8000
  tune.ssl.default-dh-param 2048
defaults
  mode http
  timeout connect 5s
  timeout client 75s
  timeout server 300s
  timeout tunnel 300s
  option forwardfor
  unique-id-format %{+X}o%ci%cp%Ts%rt
  unique-id-header X-Request-Id
  http-reuse safe
frontend in
  bind 127.0.0.1:${port}
  bind 127.0.0.1:${port + 1} ssl crt ${pem}
  http-request set-header X-Forwarded-Proto http
  use_backend h2c if { hdr(host) -m str h2.bench.test }
  use_backend main if { hdr(host),field(1,:) -m str 127.0.0.1 localhost bench.test }
backend main
  balance roundrobin
  server stable 127.0.0.1:${next} weight 90
  server canary 127.0.0.1:${next} weight 10
backend h2c
  server h2c 127.0.0.1:${bench.http2UpstreamPort ?? 1} proto h2
`;
}

export async function startNginx(bench: Bench, port: number): Promise<Contender> {
  const file = join(bench.dir, 'nginx.conf');
  writeFileSync(file, nginxConfig(bench, port));
  const child = run(proxyCpu, 'nginx', ['-p', bench.dir, '-c', file]);
  await listening(port);
  return { name: 'nginx', port, tlsPort: port + 1, http2Port: port + 2, children: [child] };
}

function nginxConfig(bench: Bench, port: number): string {
  return `daemon off;
worker_processes 1;
error_log ${bench.dir}/nginx-error.log crit;
pid ${bench.dir}/nginx.pid;
events { worker_connections 8000; }
http {
  access_log off;
  client_body_temp_path ${bench.dir}/body; proxy_temp_path ${bench.dir}/proxy; fastcgi_temp_path ${bench.dir}/f; uwsgi_temp_path ${bench.dir}/u; scgi_temp_path ${bench.dir}/s;
  keepalive_requests 100000000;
  upstream app { server 127.0.0.1:${bench.upstreamPort}; keepalive 256; keepalive_requests 100000000; }
  map $http_upgrade $wanted { default upgrade; '' ''; }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    listen 127.0.0.1:${port + 1} ssl;
    listen 127.0.0.1:${port + 2} http2;
    ssl_certificate ${bench.certificate};
    ssl_certificate_key ${bench.key};
    location / {
      proxy_pass http://app;
      proxy_http_version 1.1;
      proxy_set_header Connection $wanted;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Request-Id $request_id;
      proxy_buffers 8 32k;
      proxy_buffer_size 32k;
    }
  }
}
`;
}

/** Processor time in microseconds of processes and their children (nginx' worker). */
export function cpuMicros(children: readonly ChildProcess[]): number {
  let ticks = 0;
  for (const { pid } of children) {
    const pids = [pid, ...childrenOf(pid ?? 0)];
    for (const one of pids) {
      const fields = readFileSync(`/proc/${one}/stat`, 'utf8')
        .replace(/^.*\) /, '')
        .split(' ');
      ticks += Number(fields[11]) + Number(fields[12]);
    }
  }
  return ticks * 10_000;
}

function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return text === '' ? [] : text.split(' ').map(Number);
}

export function pssKilobytes(children: readonly ChildProcess[]): number {
  let total = 0;
  for (const { pid } of children) {
    for (const one of [pid, ...childrenOf(pid ?? 0)]) {
      total += Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${one}/smaps_rollup`, 'utf8'))?.[1] ?? 0);
    }
  }
  return total;
}
