import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import { cpuMicros, listening, run, startGateway, startHaproxy, startNginx, started, type Contender } from './peers.ts';

/**
 * `node bench/gateway/websocket.ts [windows] [connections]`: CPU of the proxy for one message there and back through an upgraded
 * connection (64 bytes, one under way per connection). Contenders take turns; medians.
 */
const windows = Number(process.argv[2] ?? 5);
const connections = Number(process.argv[3] ?? 50);
const dir = mkdtempSync(join(tmpdir(), 'gateway-ws-'));
const message = Buffer.alloc(64, 'm');

try {
  await main();
} finally {
  for (const child of started) child.kill();
  rmSync(dir, { recursive: true, force: true });
}

async function main(): Promise<void> {
  const bench = { dir, upstreamPort: 21290, certificate: join(dir, 'cert.pem'), key: join(dir, 'key.pem') };
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', bench.key];
  execFileSync('openssl', ['req', '-x509', ...key, '-out', bench.certificate, '-days', '2', '-subj', '/CN=localhost'], { stdio: 'ignore' });
  run('0', process.execPath, [join(import.meta.dirname, 'websocket-echo.ts'), String(bench.upstreamPort)]);
  await listening(bench.upstreamPort);
  const contenders = [
    await startGateway(bench, 'raw', 21300),
    await startGateway(bench, 'net', 21310),
    await startHaproxy(bench, 21320),
    await startNginx(bench, 21330),
  ];
  const results = new Map<string, number[]>(contenders.map(({ name }) => [name, []]));
  for (const contender of contenders) await measure(contender);
  for (let round = 0; round < windows; round++) {
    for (let turn = 0; turn < contenders.length; turn++) {
      const contender = contenders[(turn + round) % contenders.length] as Contender;
      results.get(contender.name)?.push(await measure(contender));
    }
  }
  const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;
  const base = median(results.get('haproxy') ?? []);
  console.log(`WebSocket, ${connections} connections: CPU us per message there and back`);
  for (const [name, values] of results)
    console.log(`${name.padEnd(14)} ${median(values).toFixed(1)} (${(median(values) / base).toFixed(2)} x haproxy)`);
}

async function measure({ port, children }: Contender): Promise<number> {
  const sockets = await Promise.all(Array.from({ length: connections }, () => open(port)));
  let messages = 0;
  for (const socket of sockets) {
    let waiting = message.length;
    socket.on('data', (bytes: Buffer) => {
      waiting -= bytes.length;
      if (waiting > 0) return;
      waiting = message.length;
      messages++;
      socket.write(message);
    });
    socket.write(message);
  }
  const before = cpuMicros(children);
  const start = messages;
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const used = cpuMicros(children) - before;
  const count = messages - start;
  for (const socket of sockets) socket.destroy();
  return used / count;
}

function open(port: number): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true }, () => {
      const key = 'dGhlIHNhbXBsZSBub25jZQ==';
      socket.write(
        `GET / HTTP/1.1\r\nHost: bench.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
      );
      socket.once('data', (bytes: Buffer) =>
        bytes.toString().startsWith('HTTP/1.1 101') ? resolve(socket) : reject(new Error(bytes.toString())),
      );
    });
    socket.on('error', reject);
  });
}
