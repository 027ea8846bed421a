import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConfigMap } from '#apis/core/v1/config-map.ts';
import type { Container } from '#apis/core/v1/container.ts';
import type { PersistentVolumeClaim } from '#apis/core/v1/persistent-volume-claim.ts';
import type { PersistentVolume } from '#apis/core/v1/persistent-volume.ts';
import type { Pod } from '#apis/core/v1/pod.ts';
import type { PodSpec } from '#apis/core/v1/pod-spec.ts';
import type { Secret } from '#apis/core/v1/secret.ts';
import type { Service } from '#apis/core/v1/service.ts';
import { FakeClock } from '#core/clock.ts';
import { silentLogger } from '#core/logger.ts';
import type { HostSocket } from '#node/engine-provider/host-ports.ts';
import { EngineProvider } from '#node/engine-provider/engine-provider.ts';
import type { NodeFacts, PodEvents, PodSources } from '#node/sources.ts';
import { FakeEngine } from '#node/testing/fake-engine.ts';
import { FakeImages } from '#node/testing/fake-images.ts';

/** A reason and message as `Reason: message`, in the order they were written. */
export class FakeEvents implements PodEvents {
  readonly texts: string[] = [];

  normal(_pod: unknown, reason: string, message: string): void {
    this.texts.push(`${reason}: ${message}`);
  }
  warning(_pod: unknown, reason: string, message: string): void {
    this.texts.push(`${reason}: ${message}`);
  }
  reasons(): string[] {
    return this.texts.map((text) => text.split(':')[0] ?? '');
  }
}

/** ConfigMaps, Secrets and Services from maps keyed `namespace/name`. */
export class FakeSources implements PodSources {
  readonly configMaps = new Map<string, ConfigMap>();
  readonly secrets = new Map<string, Secret>();
  readonly claims = new Map<string, PersistentVolumeClaim>();
  readonly persistentVolumes = new Map<string, PersistentVolume>();
  readonly allServices: Service[] = [];
  readonly #listeners = new Map<string, Set<() => void>>();
  readonly #clock: FakeClock;

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  configMap(namespace: string, name: string): Promise<ConfigMap | undefined> {
    return Promise.resolve(this.configMaps.get(`${namespace}/${name}`));
  }
  secret(namespace: string, name: string): Promise<Secret | undefined> {
    return Promise.resolve(this.secrets.get(`${namespace}/${name}`));
  }
  claim(namespace: string, name: string): Promise<PersistentVolumeClaim | undefined> {
    return Promise.resolve(this.claims.get(`${namespace}/${name}`));
  }
  persistentVolume(name: string): Promise<PersistentVolume | undefined> {
    return Promise.resolve(this.persistentVolumes.get(name));
  }
  services(namespace: string): readonly Service[] {
    return this.allServices.filter((service) => service.metadata.namespace === namespace);
  }
  watchConfigMap(namespace: string, name: string, listener: () => void): () => void {
    return this.#watch(`configmap ${namespace}/${name}`, listener);
  }
  watchSecret(namespace: string, name: string, listener: () => void): () => void {
    return this.#watch(`secret ${namespace}/${name}`, listener);
  }
  serviceAccountToken(pod: Pod, request: { audience?: string; expirationSeconds: number }) {
    const now = this.#clock.now();
    const token = `${pod.metadata.name}:${request.audience ?? 'api'}:${now}`;
    return Promise.resolve({ token, expiresAtMs: now + request.expirationSeconds * 1000 });
  }

  /** Changes an object and tells those who watch it. */
  setConfigMap(namespace: string, name: string, data: Record<string, string>): void {
    this.configMaps.set(`${namespace}/${name}`, { metadata: { namespace, name }, data });
    for (const listener of this.#listeners.get(`configmap ${namespace}/${name}`) ?? []) listener();
  }

  #watch(key: string, listener: () => void): () => void {
    const listeners = this.#listeners.get(key) ?? new Set();
    this.#listeners.set(key, listeners.add(listener));
    return () => listeners.delete(listener);
  }
}

export const fakeNode: NodeFacts = {
  name: 'node-1',
  hostIps: ['192.0.2.1'],
  clusterDns: ['10.96.0.10'],
  clusterDomain: 'cluster.local',
  allocatable: { cpuMillis: 2000, memoryBytes: 2 ** 32, ephemeralStorageBytes: 2 ** 33 },
};

/** An EngineProvider over fakes, with a temporary data directory. */
export class ProviderFixture implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly engine = new FakeEngine(this.clock);
  readonly images = new FakeImages();
  readonly events = new FakeEvents();
  readonly sources = new FakeSources(this.clock);
  readonly directory: string;
  /** Ports of the machine that are taken. */
  hostSockets: readonly HostSocket[] = [];
  provider: EngineProvider;

  private constructor(directory: string) {
    this.directory = directory;
    this.images.add('app:1');
    this.provider = this.newProvider();
  }

  static async create(): Promise<ProviderFixture> {
    const fixture = new ProviderFixture(await mkdtemp(join(tmpdir(), 'node-test-')));
    await fixture.provider.adopt();
    return fixture;
  }

  /** As if the agent had been killed and started again; the engine's containers stay. Returns what was found. */
  async restart(): Promise<readonly string[]> {
    await this.provider[Symbol.asyncDispose]();
    this.provider = this.newProvider();
    return this.provider.adopt();
  }

  /** Lets everything happen that needs no time to pass. */
  async settle(): Promise<void> {
    // File operations of volumes and records take real turns of the event loop.
    for (let turn = 0; turn < 40; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setTimeout(resolve, 2));
    for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }

  async advance(ms: number): Promise<void> {
    await this.clock.advance(ms);
    await this.settle();
  }

  /** Waits in real time (files are real) until the condition holds; fails after five seconds. */
  async until(condition: () => boolean): Promise<void> {
    const deadline = Date.now() + 5_000;
    while (!condition()) {
      if (Date.now() > deadline) throw new Error(`condition not met; journal: ${this.engine.journal.join(', ')}`);
      await this.settle();
    }
  }

  status(uid: string) {
    return this.provider.getPodStatus(uid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.provider[Symbol.asyncDispose]();
    // The provider may still be removing a pod's files.
    await rm(this.directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
  }

  /** A provider over the same engine and directory, as a restarted agent makes one. */
  newProvider(): EngineProvider {
    return new EngineProvider({
      engine: this.engine,
      images: this.images,
      sources: this.sources,
      events: this.events,
      node: () => fakeNode,
      hostDns: () => ({ nameservers: ['192.0.2.53'], searches: [], options: [] }),
      hostSockets: () => this.hostSockets,
      dataDirectory: this.directory,
      clock: this.clock,
      logger: silentLogger,
    });
  }
}

let nextUid = 1;

/** A pod with one container `app` of image `app:1`, unless `spec` says otherwise. */
export function testPod(spec: Partial<Omit<PodSpec, 'containers'>> & { containers?: Partial<Container>[] } = {}): Pod {
  const uid = `uid-${nextUid++}`;
  const { containers = [{}], ...rest } = spec;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'default', uid, generation: 1 },
    spec: {
      nodeName: 'node-1',
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 30,
      ...rest,
      containers: containers.map((one, index) => ({ name: index === 0 ? 'app' : `app${index}`, image: 'app:1', ...one })),
    },
  };
}
