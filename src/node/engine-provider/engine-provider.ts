import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { PodStatus } from '#apis/core/v1/pod-status.ts';
import type { Pod } from '#apis/core/v1/pod.ts';
import type { ContainerState, SandboxState, StreamIo } from '#apis/runtime/engine.ts';
import { containerLogs } from '#node/engine-provider/container-logs.ts';
import type { EngineProviderOptions, RunnerDependencies } from '#node/engine-provider/dependencies.ts';
import { PodDirectory } from '#node/engine-provider/pod-directory.ts';
import { PodRunner } from '#node/engine-provider/pod-runner.ts';
import type { PodDiskUsage } from '#node/pressure/disk-keeper.ts';
import { machineStartPace, type StartPace } from '#node/engine-provider/start-pace.ts';
import { ProbePace } from '#node/probes/container-probes.ts';
import {
  ProviderError,
  type ContainerRef,
  type LogOptions,
  type PodReport,
  type PodStats,
  type PortStream,
  type Provider,
  type ProviderCapabilities,
} from '#node/provider.ts';
import { unmountUnder } from '#node/volumes/memory-mount.ts';

/** Runs pods on a container engine of this machine: the provider behind every local node. */
export class EngineProvider implements Provider {
  readonly capabilities: ProviderCapabilities;
  readonly #options: EngineProviderOptions;
  readonly #runners = new Map<string, PodRunner>();
  /** Sandboxes of an earlier agent that no pod has claimed yet. */
  readonly #found = new Map<string, SandboxState>();
  readonly #listeners = new Set<(report: PodReport) => void>();
  readonly #pace = new ProbePace();
  readonly #starts: StartPace;
  #stopListening: () => void = () => {};

  constructor(options: EngineProviderOptions) {
    this.#options = options;
    this.#starts = machineStartPace(options.clock);
    const { runtime } = options.engine.capabilities;
    this.capabilities = {
      name: 'local',
      containerRuntimeVersion: `dormouse://${runtime}`,
    };
  }

  async adopt(): Promise<readonly string[]> {
    const pods = join(this.#options.dataDirectory, 'pods');
    await mkdir(pods, { recursive: true, mode: 0o700 });
    this.#stopListening = this.#options.engine.onExit((uid, state) => this.#exited(uid, state));
    for (const sandbox of await this.#options.engine.list()) this.#found.set(sandbox.id, sandbox);
    return [...new Set([...this.#found.keys(), ...(await readdir(pods))])];
  }

  async createPod(pod: Pod): Promise<void> {
    const uid = pod.metadata.uid ?? '';
    const known = this.#runners.get(uid);
    if (known !== undefined) return known.update(pod);
    const record = await new PodDirectory(this.#options.dataDirectory, pod.metadata).load();
    const shared = { ...this.#options, pace: this.#pace, starts: this.#starts };
    const dependencies: RunnerDependencies = { ...shared, onChange: () => this.#report(uid) };
    const runner = new PodRunner(pod, dependencies, { sandbox: this.#found.get(uid), record });
    this.#found.delete(uid);
    this.#runners.set(uid, runner);
    runner.start();
  }

  updatePod(pod: Pod): Promise<void> {
    this.#runners.get(pod.metadata.uid ?? '')?.update(pod);
    return Promise.resolve();
  }

  async deletePod(uid: string, graceSeconds: number): Promise<void> {
    const runner = this.#runners.get(uid);
    if (runner === undefined) return this.#removeOrphan(uid);
    await runner.stop(graceSeconds);
    await runner.directory.remove();
    this.#runners.delete(uid);
  }

  /** Of every wanted pod that has something on the node's disk and can be ended. */
  async diskUsage(wanted: (pod: Pod) => boolean = () => true): Promise<readonly PodDiskUsage[]> {
    const runners = [...this.#runners.values()].filter(({ isRunning, pod }) => isRunning && wanted(pod));
    return Promise.all(runners.map((runner) => runner.diskUsage()));
  }

  /** Ends a pod for good because the node is short of something. */
  async evict(uid: string, message: string): Promise<void> {
    await this.#runners.get(uid)?.evict(message, true);
  }

  /** Ends a pod for good because it has taken more than it may. */
  async exceed(uid: string, message: string): Promise<void> {
    await this.#runners.get(uid)?.evict(message, false);
  }

  getPodStatus(uid: string): PodStatus | undefined {
    return this.#runners.get(uid)?.status;
  }

  getPods(): readonly string[] {
    return [...this.#runners.keys()];
  }

  onStatus(listener: (report: PodReport) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async getContainerLogs({ uid, container }: ContainerRef, options: LogOptions): Promise<Readable> {
    return containerLogs(this.#runner(uid), container, options);
  }

  runInContainer(ref: ContainerRef, io: StreamIo, command: readonly string[]): Promise<number> {
    this.#requireRunning(ref);
    return this.#options.engine.exec(ref.uid, ref.container, { ...io, command });
  }

  attachToContainer(ref: ContainerRef, io: StreamIo): Promise<void> {
    this.#requireRunning(ref);
    return this.#options.engine.attach(ref.uid, ref.container, io);
  }

  portForward(uid: string, port: number, signal: AbortSignal): Promise<PortStream> {
    if (this.#runner(uid).sandbox === undefined) throw new ProviderError('InvalidInput', 'pod is not running');
    return this.#options.engine.dial(uid, port, signal);
  }

  async getPodStats(uid: string): Promise<PodStats | undefined> {
    const runner = this.#runners.get(uid);
    if (runner?.sandbox === undefined) return undefined;
    const { timestampMs, containers } = await this.#options.engine.stats(uid);
    const stats = containers.map((one) => {
      const startedAt = runner.container(one.name)?.state.running?.startedAt;
      return { ...one, startedAtMs: startedAt === undefined ? timestampMs : Date.parse(startedAt) };
    });
    return { timestampMs, containers: stats };
  }

  async pausePod(uid: string): Promise<void> {
    await this.#runners.get(uid)?.freeze();
  }

  async resumePod(uid: string): Promise<void> {
    await this.#runners.get(uid)?.thaw();
  }

  /** Lets go of everything; the containers go on. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#stopListening();
    for (const runner of this.#runners.values()) runner.detach();
    return Promise.resolve();
  }

  #report(uid: string): void {
    const runner = this.#runners.get(uid);
    if (runner === undefined) return;
    const { namespace = '', name = '' } = runner.pod.metadata;
    const dial = runner.sandbox?.dial;
    const report = { uid, namespace, name, status: runner.status, ...(dial === undefined ? {} : { dial }) };
    for (const listener of this.#listeners) listener(report);
  }

  #exited(uid: string, state: ContainerState): void {
    const runner = this.#runners.get(uid);
    if (runner !== undefined) return runner.exited(state);
    const found = this.#found.get(uid);
    if (found === undefined) return;
    this.#found.set(uid, { ...found, containers: found.containers.map((one) => (one.name === state.name ? state : one)) });
  }

  async #removeOrphan(uid: string): Promise<void> {
    const sandbox = this.#found.get(uid);
    await this.#options.engine.removeSandbox(uid);
    this.#found.delete(uid);
    await this.#options.images.release(uid);
    const directory = join(this.#options.dataDirectory, 'pods', uid);
    await unmountUnder(directory);
    await rm(directory, { recursive: true, force: true });
    if (sandbox === undefined) return;
    const { namespace, name } = sandbox;
    await new PodDirectory(this.#options.dataDirectory, { namespace, name, uid }).remove();
  }

  #runner(uid: string): PodRunner {
    const runner = this.#runners.get(uid);
    if (runner === undefined) throw new ProviderError('NotFound', 'pod does not exist');
    return runner;
  }

  #requireRunning({ uid, container }: ContainerRef): void {
    if (this.#runner(uid).container(container)?.isRunning === true) return;
    throw new ProviderError('InvalidInput', `container not found ("${container}")`);
  }
}
