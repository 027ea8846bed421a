import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { setTimeout as delay } from 'node:timers/promises';
import type { HttpsTransportOptions } from '../../src/client/https-transport.ts';
import { cpuMs, line, monotonicMs, quantile } from '../support/process.ts';
import type { Sighting, WatchersRequest } from './watchers.ts';

const watchers = 100;
const writes = 200;
const fromNow = 'watch=true&sendInitialEvents=false&resourceVersionMatch=NotOlderThan';

export interface WatchBench {
  readonly connection: HttpsTransportOptions;
  readonly path: string;
  /** The process whose CPU time is counted. */
  readonly control: number;
  readonly create: (name: string) => Promise<void>;
}

/** Time from sending a create to each watcher's having its event, one create after the other; watchers in a process of their own. */
export async function measureWatch({ connection, path, control, create }: WatchBench): Promise<void> {
  const child = fork(fileURLToPath(new URL('watchers.ts', import.meta.url)));
  try {
    child.send(requestOf(connection, path));
    await once(child, 'message');
    const cpuBefore = cpuMs(control);
    const sentAt = new Map<string, number>();
    const creates: number[] = [];
    for (let index = 0; index < writes; index += 1) {
      const now = monotonicMs();
      sentAt.set(`w-${index}`, now);
      await create(`w-${index}`);
      creates.push(monotonicMs() - now);
      await delay(10);
    }
    const sightings = await allSightings(child);
    const cpu = (cpuMs(control) - cpuBefore) / writes;
    const latencies = sightings.map(({ name, seenAt }) => seenAt - (sentAt.get(name) ?? Number.NaN));
    const last = [...sentAt.keys()].map((name) => Math.max(...latencies.filter((_latency, index) => sightings[index]?.name === name)));
    line(`watch, ${watchers} watchers`, `${shown(latencies)} from sending a create to its event`);
    line('  the last of them', `${shown(last)}; ${cpu.toFixed(2)} ms CPU a create with its ${watchers} events (control process)`);
    line('  the creates themselves', `${shown(creates)} to the answer`);
  } finally {
    child.kill();
  }
}

function requestOf({ server, certificateAuthority, clientCertificate }: HttpsTransportOptions, path: string): WatchersRequest {
  const { hostname, port } = new URL(server);
  if (certificateAuthority === undefined || clientCertificate === undefined) throw new Error('the admin connection has certificates');
  const tls = { ca: certificateAuthority, cert: clientCertificate.certificate, key: clientCertificate.key };
  return { watchers, host: hostname, port: Number(port), path: `${path}?${fromNow}`, tls };
}

async function allSightings(child: ChildProcess): Promise<Sighting[]> {
  const sightings: Sighting[] = [];
  while (sightings.length < watchers * writes) {
    await delay(50);
    child.send('report');
    const [more] = (await once(child, 'message')) as [Sighting[]];
    sightings.push(...more);
  }
  return sightings;
}

function shown(latencies: readonly number[]): string {
  return `p50 ${quantile(latencies, 0.5).toFixed(1)} ms, p99 ${quantile(latencies, 0.99).toFixed(1)} ms`;
}
