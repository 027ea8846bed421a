import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { configMaps } from '../../../src/apis/core/v1/config-map.ts';
import { services } from '../../../src/apis/serving/v1/kinds.ts';
import type { Service } from '../../../src/apis/serving/v1/schemas.ts';
import { createClient } from '../../../src/client/api-client.ts';
import type { Client } from '../../../src/client/client.ts';
import { httpsTransport } from '../../../src/client/https-transport.ts';
import { connectionOf, loadKubeconfig } from '../../../src/client/kubeconfig.ts';
import { startPlatform, type TestPlatform } from '../../../e2e/support/platform.ts';
import { cpuMs, pssKilobytes } from '../../support/process.ts';

export const helloImage = 'gcr.io/knative-samples/helloworld-nodejs';
export const autoscaleImage = 'gcr.io/knative-samples/autoscale-go';
const namespace = 'default';

export interface Answer {
  readonly status: number;
  /** From sending the request to the answer's last byte. */
  readonly elapsedMs: number;
}

/** A platform of its own with the example images built and new revisions allowed to start with nothing running. */
export async function startBed(): Promise<Bed> {
  const platform = await startPlatform();
  const transport = httpsTransport(connectionOf(loadKubeconfig([platform.kubeconfig])).connection);
  const bed = new Bed(platform, createClient(transport));
  await platform.dormouse(['build', 'examples/helloworld-nodejs', '-t', helloImage], { timeoutMs: 120_000 });
  await platform.dormouse(['build', 'examples/autoscale', '-t', autoscaleImage], { timeoutMs: 120_000 });
  await bed.client.of(configMaps).patch('knative-serving', 'config-autoscaler', {
    type: 'merge',
    body: { data: { 'allow-zero-initial-scale': 'true' } },
  });
  return bed;
}

export class Bed implements AsyncDisposable {
  readonly platform: TestPlatform;
  readonly client: Client;
  // A new connection for each request that waits; none of the client's own limits in between.
  readonly #agent = new Agent({ keepAlive: true, maxSockets: Infinity });

  constructor(platform: TestPlatform, client: Client) {
    this.platform = platform;
    this.client = client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#agent.destroy();
    await this.platform[Symbol.asyncDispose]();
  }

  /** Creates a Service; with `annotations` on its revision template. */
  async create(name: string, annotations: Readonly<Record<string, string>> = {}, image = helloImage): Promise<void> {
    const spec = { template: { metadata: { annotations }, spec: { containers: [{ image }] } } };
    await this.client.of(services).create({ metadata: { name, namespace }, spec } as Service);
  }

  async get(name: string): Promise<Service> {
    return this.client.of(services).get(namespace, name);
  }

  async delete(name: string): Promise<void> {
    await this.client.of(services).delete(namespace, name);
  }

  /** Resolves when each of the named services has been Ready, seen in one watch. Rejects after `timeoutMs`. */
  async ready(names: ReadonlySet<string>, timeoutMs: number): Promise<void> {
    const waiting = new Set(names);
    const signal = AbortSignal.timeout(timeoutMs);
    const listed = await this.client.of(services).list({ namespace });
    for (const service of listed.items) if (isReady(service)) waiting.delete(service.metadata.name ?? '');
    if (waiting.size === 0) return;
    const resourceVersion = listed.metadata.resourceVersion ?? '';
    for await (const { type, object } of this.client.of(services).watch({ namespace, resourceVersion, signal })) {
      if (type === 'MODIFIED' && isReady(object)) waiting.delete(object.metadata.name ?? '');
      if (waiting.size === 0) return;
    }
    throw new Error(`${waiting.size} services are not ready, for example ${[...waiting][0]}`);
  }

  /** Calls a service through the gateway by its Host. */
  call(name: string, path = '/'): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const begin = performance.now();
    const headers = { host: `${name}.${namespace}.localhost` };
    const options = { host: '127.0.0.1', port: this.platform.port('http'), path, headers, agent: this.#agent };
    const sent = request(options, (response) => {
      response.resume();
      response.on('end', () => resolve({ status: response.statusCode ?? 0, elapsedMs: performance.now() - begin }));
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end();
    return promise;
  }

  /** Calls until the answer is a 200; the time of that from now on, in milliseconds. */
  async untilAnswered(name: string): Promise<number> {
    const begin = performance.now();
    for (;;) {
      const { status } = await this.call(name);
      if (status === 200) return performance.now() - begin;
      if (performance.now() - begin > 60_000) throw new Error(`${name} answers ${status} after a minute`);
      await delay(5);
    }
  }

  /** The platform's processes by role. */
  async processes(): Promise<ReadonlyMap<string, number>> {
    const status = JSON.parse(await this.platform.dormouse(['status', '-o', 'json'])) as {
      pid: number;
      processes: { role: string; pid: number }[];
    };
    return new Map([['supervisor', status.pid], ...status.processes.map(({ role, pid }) => [role, pid] as const)]);
  }

  /** PSS in kilobytes by role, and the sum as `total`. */
  async memory(): Promise<ReadonlyMap<string, number>> {
    const parts = [...(await this.processes())].map(([role, pid]) => [role, pssKilobytes(pid)] as const);
    return new Map([...parts, ['total', parts.reduce((sum, [, kilobytes]) => sum + kilobytes, 0)]]);
  }

  /** CPU time used so far by role, in milliseconds. */
  async cpu(): Promise<ReadonlyMap<string, number>> {
    return new Map([...(await this.processes())].map(([role, pid]) => [role, cpuMs(pid)]));
  }

  /** CPU the platform's processes use while nobody asks anything of them, as a share of one core. */
  async idleCpu(seconds: number): Promise<number> {
    const before = sum(await this.cpu());
    await delay(seconds * 1000);
    return (sum(await this.cpu()) - before) / (seconds * 1000);
  }
}

function sum(values: ReadonlyMap<string, number>): number {
  return [...values.values()].reduce((total, value) => total + value, 0);
}

export function isReady({ metadata, status }: Service): boolean {
  const current = status?.observedGeneration === metadata.generation;
  return current && status?.conditions?.some(({ type, status: state }) => type === 'Ready' && state === 'True') === true;
}
