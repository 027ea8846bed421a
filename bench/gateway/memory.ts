import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { listening, pssKilobytes, run, startGateway, started } from './peers.ts';

/**
 * `node bench/gateway/memory.ts [connections] [routes]`: memory (PSS) of the gateway with idle connections, each of which has had a
 * request answered, and with as many routes. Needs a limit of open files above the connections.
 */
const connections = Number(process.argv[2] ?? 10_000);
const routes = Number(process.argv[3] ?? 1000);
const dir = mkdtempSync(join(tmpdir(), 'gateway-memory-'));
const sockets: Socket[] = [];

try {
  await main();
} finally {
  for (const socket of sockets) socket.destroy();
  for (const child of started) child.kill();
  rmSync(dir, { recursive: true, force: true });
}

async function main(): Promise<void> {
  const upstreamPort = 21190;
  execFileSync('gcc', ['-O2', '-o', join(dir, 'upstream'), join(import.meta.dirname, 'upstream.c')]);
  run(undefined, join(dir, 'upstream'), [String(upstreamPort)]);
  await listening(upstreamPort);
  const key = join(dir, 'key.pem');
  const certificate = join(dir, 'cert.pem');
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', certificate, '-days', '2', '-subj', '/CN=localhost'],
    {
      stdio: 'ignore',
    },
  );
  for (const [index, transport] of (['raw', 'net'] as const).entries()) {
    const { port, children } = await startGateway({ dir, upstreamPort, certificate, key }, transport, 21200 + 10 * index, routes);
    const before = pssKilobytes(children);
    for (let opened = 0; opened < connections; opened += 100) {
      await Promise.all(Array.from({ length: Math.min(100, connections - opened) }, () => openOne(port)));
    }
    await new Promise((resolve) => setTimeout(resolve, 3000));
    const after = pssKilobytes(children);
    const each = ((after - before) * 1024) / connections;
    console.log(
      `${transport}: ${(before / 1024).toFixed(1)} MiB with ${routes} routes, ${(after / 1024).toFixed(1)} MiB with ${connections} idle connections (${each.toFixed(0)} bytes each)`,
    );
    for (const socket of sockets.splice(0)) socket.destroy();
    for (const child of children) child.kill();
  }
}

function openOne(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('GET /1k HTTP/1.1\r\nHost: bench.test\r\n\r\n'));
    sockets.push(socket);
    let received = 0;
    socket.on('data', (bytes: Buffer) => {
      received += bytes.length;
      if (received > 1024) resolve();
    });
    socket.on('error', reject);
  });
}
