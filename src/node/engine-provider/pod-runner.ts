import { isDeepStrictEqual } from 'node:util';
import type { Container } from '#apis/core/v1/container.ts';
import { isReady } from '#apis/core/v1/pod-state.ts';
import type { PodStatus } from '#apis/core/v1/pod-status.ts';
import type { Pod } from '#apis/core/v1/pod.ts';
import { aggressiveProbeAnnotation, detectHttp2Annotation } from '#apis/dormouse/names.ts';
import type { ContainerState as EngineState, SandboxState } from '#apis/runtime/engine.ts';
import type { LocalImage } from '#apis/runtime/image-service.ts';
import { sleep } from '#core/clock.ts';
import { directoryBytes } from '#core/directory-bytes.ts';
import { Changes } from '#node/engine-provider/changes.ts';
import { probeTarget, terminationMessage } from '#node/engine-provider/container-access.ts';
import { buildContainerSpec } from '#node/engine-provider/container-spec.ts';
import { ContainerSupervisor } from '#node/engine-provider/container-supervisor.ts';
import type { ContainerRole } from '#node/engine-provider/container-view.ts';
import type { RunnerDependencies } from '#node/engine-provider/dependencies.ts';
import { ImagePuller } from '#node/engine-provider/image-puller.ts';
import { PodDirectory, type PodRecord } from '#node/engine-provider/pod-directory.ts';
import { containerHistory, withoutSandbox, type PodPast } from '#node/engine-provider/pod-history.ts';
import { createSandbox, prepareVolumes } from '#node/engine-provider/pod-preparation.ts';
import { buildPodStatus } from '#node/engine-provider/pod-status.ts';
import type { SupervisorHost } from '#node/engine-provider/supervisor-host.ts';
import { resolveEnvironment } from '#node/environment/resolve.ts';
import type { PodDiskUsage } from '#node/pressure/disk-keeper.ts';
import { LocalPodVolumes } from '#node/volumes/local-pod-volumes.ts';
import type { PodVolumes } from '#node/volumes/pod-volumes.ts';

/** Why a pod ended that did not end by itself. */
interface EndReason {
  readonly reason: string;
  readonly message: string;
  /** The pod had to go for the node's sake. */
  readonly isDisruption: boolean;
}

/** How long after its grace period a container may take to be reported dead before the sandbox is torn down anyway. */
const stuckAfterMs = 10_000;

/**
 * Runs one pod from sandbox to end: volumes, init containers one after the other, then the app containers side by side,
 * until all have ended for good or the pod is stopped. One instance per pod uid; its methods may be called in any order.
 */
export class PodRunner {
  readonly directory: PodDirectory;
  readonly #deps: RunnerDependencies;
  readonly #past: PodPast;
  readonly #puller: ImagePuller;
  readonly #ending = new AbortController();
  readonly #volumes: PodVolumes;
  readonly #init: readonly ContainerSupervisor[];
  readonly #app: readonly ContainerSupervisor[];
  /** Grows while the pod runs. */
  readonly #ephemeral: ContainerSupervisor[];
  #pod: Pod;
  #sandbox: SandboxState | undefined;
  #status: PodStatus;
  #final: PodStatus | undefined;
  #ended: EndReason | undefined;
  #running: Promise<void> | undefined;
  /** Sandbox and volumes are there. */
  #prepared: Promise<void> | undefined;
  #removal: Promise<void> | undefined;
  #cancelDeadline: () => void = () => {};
  /** Gives up the pod's place among those that are starting. */
  #started: () => void = () => {};
  #publishing = false;
  readonly #changes = new Changes();
  /** Runs of sidecars and ephemeral containers, which end only when the pod does. */
  readonly #background: Promise<void>[] = [];

  constructor(pod: Pod, deps: RunnerDependencies, past: PodPast) {
    this.#pod = pod;
    this.#deps = deps;
    this.#past = past;
    this.directory = new PodDirectory(deps.dataDirectory, pod.metadata);
    this.#puller = new ImagePuller(deps);
    this.#volumes = new LocalPodVolumes({ pod, directory: this.directory.volumes, isTakenOver: past.sandbox !== undefined, ...deps });
    this.#sandbox = past.sandbox;
    this.#status = pod.status ?? {};
    this.#final = past.record?.final;
    this.#init = (pod.spec?.initContainers ?? []).map((one) => this.#supervise(one.restartPolicy === 'Always' ? 'sidecar' : 'init', one));
    this.#app = (pod.spec?.containers ?? []).map((one) => this.#supervise('app', one));
    this.#ephemeral = (pod.spec?.ephemeralContainers ?? []).map((one) => this.#supervise('ephemeral', one));
  }

  get pod(): Pod {
    return this.#pod;
  }
  /** The status as last published. */
  get status(): PodStatus {
    return this.#status;
  }
  /** Neither over nor on its way out. */
  get isRunning(): boolean {
    return this.#final === undefined && this.#removal === undefined;
  }
  get sandbox(): SandboxState | undefined {
    return this.#sandbox;
  }

  /** The container of that name, as the status sees it. */
  container(name: string): ContainerSupervisor | undefined {
    return this.#all().find((one) => one.container.name === name);
  }

  start(): void {
    this.#running ??= this.#run().catch((error: unknown) => {
      if (!this.#ending.signal.aborted) this.#deps.logger.error('pod runner failed', { pod: this.#pod.metadata.name, error });
    });
  }

  update(pod: Pod): void {
    this.#pod = pod;
    this.#volumes.refresh(pod);
    for (const one of this.#all()) {
      const spec = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])].find(
        (other) => other.name === one.container.name,
      );
      if (spec !== undefined) one.update(spec);
    }
    this.#addEphemeral(pod);
    this.#armDeadline();
    this.#changed();
  }

  exited(state: EngineState): void {
    this.container(state.name)?.exited(state);
  }

  /** Ends everything and removes the sandbox; a call with a shorter grace shortens the wait of an earlier one. */
  async stop(graceSeconds: number): Promise<void> {
    const first = this.#removal === undefined;
    if (this.#removal === undefined) this.#removal = this.#end(graceSeconds);
    if (!first) void this.#stopContainers(graceSeconds);
    await this.#removal;
  }

  async freeze(): Promise<void> {
    if (this.#sandbox === undefined || this.#sandbox.frozen || this.#deps.engine.freeze === undefined) return;
    for (const one of this.#all()) one.pauseProbes();
    await this.#deps.engine.freeze(this.#sandbox.id);
    this.#sandbox = { ...this.#sandbox, frozen: true };
  }

  async thaw(): Promise<void> {
    if (this.#sandbox?.frozen !== true) return;
    await this.#deps.engine.thaw?.(this.#sandbox.id);
    this.#sandbox = { ...this.#sandbox, frozen: false };
    for (const one of this.#all()) one.resumeProbes();
  }

  /** Ends the pod for good: it has failed, because the node is short of something or through its own fault. */
  async evict(message: string, isDisruption: boolean): Promise<void> {
    await this.#fail({ reason: 'Evicted', message, isDisruption }, 'Warning', 0);
  }

  /** What it takes of the node's disk: its containers' own files and logs, and volumes that are not memory. */
  async diskUsage(): Promise<PodDiskUsage> {
    const written = this.#sandbox === undefined ? [] : await this.#deps.engine.diskUsage(this.#sandbox.id);
    const containers = await Promise.all(
      this.#all().map(async ({ container: { name } }) => {
        const own = written.find((one) => one.name === name)?.usedBytes ?? 0;
        return { name, usedBytes: own + (await directoryBytes(this.directory.logsOf(name))) };
      }),
    );
    const volumes = await this.#volumes.diskUsage();
    const usedBytes = [...containers, ...volumes].reduce((sum, one) => sum + one.usedBytes, 0);
    return { pod: this.#pod, containers, volumes, usedBytes };
  }

  /** Lets the pod go without touching its containers: the agent ends, another one will take over. */
  detach(): void {
    this.#ending.abort(new Error('the node agent is ending'));
    this.#cancelDeadline();
    for (const one of this.#all()) one.pauseProbes();
  }

  async #run(): Promise<void> {
    if (this.#final !== undefined) return this.#publish();
    const { signal } = this.#ending;
    this.#armDeadline();
    this.#changed();
    this.#prepared = this.#prepare(signal);
    this.#prepared.catch(() => {});
    for (const one of this.#ephemeral) this.#background.push(this.#runContainer(one, signal));
    // Containers that run already are taken over at once: a stop that follows must find them.
    const isRunnable = this.#wasInitialized() ? this.#startSidecars(signal) : await this.#initialize(signal);
    if (isRunnable) await Promise.all(this.#app.map((one) => this.#runContainer(one, signal)));
    if (signal.aborted) return;
    await this.#complete();
  }

  async #prepare(signal: AbortSignal): Promise<void> {
    if (this.#sandbox === undefined) this.#started = await this.#deps.starts.enter(signal);
    const pod = () => this.#pod;
    this.#sandbox = await createSandbox(pod, this.#sandbox, this.#deps, signal);
    this.#changed();
    await prepareVolumes(pod, this.#volumes, this.#sandbox.ip, this.#deps, signal);
  }

  /** Runs the init containers; false when one of them has failed for good. Sidecars go on in the background. */
  async #initialize(signal: AbortSignal): Promise<boolean> {
    await this.#prepared;
    for (const one of this.#init) {
      if (one.role === 'sidecar') {
        this.#background.push(this.#runContainer(one, signal));
        await this.#changes.until(() => one.started, signal);
      } else {
        await one.run(signal);
        if (one.state.terminated?.exitCode !== 0) return false;
      }
    }
    return true;
  }

  /** To its end for good. A stop before its start is no failure. */
  async #runContainer(one: ContainerSupervisor, signal: AbortSignal): Promise<void> {
    try {
      await one.run(signal);
    } catch (error) {
      const { name } = one.container;
      if (!signal.aborted) this.#deps.logger.error('container not looked after', { pod: this.#pod.metadata.name, container: name, error });
    }
  }

  /** Containers that have come to a pod that runs. */
  #addEphemeral(pod: Pod): void {
    const known = new Set(this.#ephemeral.map(({ container }) => container.name));
    for (const container of pod.spec?.ephemeralContainers ?? []) {
      if (known.has(container.name) || !this.isRunning) continue;
      const one = this.#supervise('ephemeral', container);
      this.#ephemeral.push(one);
      if (this.#running !== undefined) this.#background.push(this.#runContainer(one, this.#ending.signal));
    }
  }

  #startSidecars(signal: AbortSignal): true {
    for (const one of this.#init) if (one.role === 'sidecar') this.#background.push(this.#runContainer(one, signal));
    return true;
  }

  #wasInitialized(): boolean {
    return this.#app.some((one) => one.state.terminated !== undefined || this.#engineKnows(one));
  }

  #engineKnows(one: ContainerSupervisor): boolean {
    return this.#past.sandbox?.containers.some((known) => known.name === one.container.name && known.status !== 'created') ?? false;
  }

  /** All containers have ended for good: nothing of the pod stays but its logs and its status. */
  async #complete(): Promise<void> {
    this.#started();
    this.#ending.abort(new Error('the pod has ended'));
    await this.#stopContainers(this.#graceSeconds());
    await Promise.all(this.#background);
    await this.#remove();
    this.#publish();
    this.#final = this.#status;
    await this.directory.save(this.#record());
  }

  async #end(graceSeconds: number): Promise<void> {
    this.#cancelDeadline();
    this.#started();
    this.#ending.abort(new Error('the pod is being stopped'));
    for (const one of this.#all()) {
      const name = one.container.name;
      if (one.isRunning) this.#deps.events.normal(this.#pod, 'Killing', `Stopping container ${name}`, name);
    }
    await this.thaw();
    await this.#stopContainers(graceSeconds);
    // Killing what is left reports the ends of containers that nothing else could end.
    if (this.#all().some((one) => one.isRunning)) await this.#deps.engine.removeSandbox(this.#pod.metadata.uid ?? '');
    await this.#atMost(Promise.all([this.#running, ...this.#background]), stuckAfterMs);
    await this.#remove();
    this.#publish();
  }

  async #stopContainers(graceSeconds: number): Promise<void> {
    const stopped = (async () => {
      await Promise.all(this.#all().flatMap((one) => (one.role === 'sidecar' ? [] : [one.stop(graceSeconds)])));
      for (const one of this.#init.toReversed()) await one.stop(graceSeconds);
    })();
    await this.#atMost(stopped, graceSeconds * 2_000 + stuckAfterMs);
  }

  /** Waits for a promise, but not for ever: an engine that lost sight of a container must not keep its pod from going. */
  async #atMost(promise: Promise<unknown>, limitMs: number): Promise<void> {
    const settled = new AbortController();
    const limit = sleep(this.#deps.clock, limitMs, settled.signal).catch(() => {});
    await Promise.race([promise, limit]).finally(() => settled.abort());
  }

  async #remove(): Promise<void> {
    const uid = this.#pod.metadata.uid ?? '';
    await this.#deps.engine.removeSandbox(uid);
    this.#sandbox = undefined;
    await this.#volumes[Symbol.asyncDispose]();
    await this.#deps.images.release(uid);
    for (const one of this.#all()) one.settle();
  }

  #armDeadline(): void {
    this.#cancelDeadline();
    const seconds = this.#pod.spec?.activeDeadlineSeconds;
    if (seconds === undefined || this.#final !== undefined || this.#ending.signal.aborted) return;
    const { clock } = this.#deps;
    const startMs = this.#status.startTime === undefined ? clock.now() : Date.parse(this.#status.startTime);
    this.#cancelDeadline = clock.after(Math.max(0, startMs + seconds * 1000 - clock.now()), () => void this.#exceed());
  }

  async #exceed(): Promise<void> {
    const message = 'Pod was active on the node longer than the specified deadline';
    await this.#fail({ reason: 'DeadlineExceeded', message, isDisruption: false }, 'Normal', this.#graceSeconds());
  }

  async #fail(why: EndReason, type: 'Normal' | 'Warning', graceSeconds: number): Promise<void> {
    if (!this.isRunning) return;
    this.#ended = why;
    this.#deps.events[type === 'Normal' ? 'normal' : 'warning'](this.#pod, why.reason, why.message);
    this.#removal = this.#end(graceSeconds);
    await this.#removal;
    this.#final = this.#status;
    await this.directory.save(this.#record());
  }

  #graceSeconds(): number {
    return this.#pod.spec?.terminationGracePeriodSeconds ?? 30;
  }

  #supervise(role: ContainerRole, container: Container): ContainerSupervisor {
    const history = containerHistory(this.#pod, container.name, this.#past);
    const fresh = (role === 'init' || role === 'sidecar') && this.#past.sandbox === undefined && !this.#isOver();
    return new ContainerSupervisor(role, container, this.#host(), fresh ? withoutSandbox(history) : history);
  }

  /** No container of the pod will be started again, whatever is left of it. */
  #isOver(): boolean {
    const policy = this.#pod.spec?.restartPolicy ?? 'Always';
    if (policy === 'Always') return false;
    const histories = (this.#pod.spec?.containers ?? []).map((one) => containerHistory(this.#pod, one.name, this.#past));
    return histories.every(({ terminated, wasRunning }) =>
      policy === 'Never' ? terminated !== undefined || wasRunning !== undefined : terminated?.exitCode === 0,
    );
  }

  #host(): SupervisorHost {
    const current = { pod: () => this.#pod, graceSeconds: () => this.#graceSeconds() };
    const { engine, events, clock, logger, pace } = this.#deps;
    return {
      get pod() {
        return current.pod();
      },
      get graceSeconds() {
        return current.graceSeconds();
      },
      sandboxId: this.#pod.metadata.uid ?? '',
      hasInitContainers: (this.#pod.spec?.initContainers ?? []).length > 0,
      aggressiveProbes: this.#pod.metadata.annotations?.[aggressiveProbeAnnotation] === 'true',
      detectsHttp2: this.#pod.metadata.annotations?.[detectHttp2Annotation] === 'true',
      signal: this.#ending.signal,
      engine,
      puller: this.#puller,
      events,
      clock,
      logger,
      pace,
      probeTarget: (container) => probeTarget(engine, this.#requireSandbox(), container),
      containerSpec: (container, image, attempt) => this.#containerSpec(container, image, attempt),
      terminationMessage: (container, attempt, exitCode) => {
        const { name } = container;
        return terminationMessage(
          container,
          this.directory.terminationPath(name, attempt),
          this.directory.logPath(name, attempt),
          exitCode,
        );
      },
      changed: () => this.#changed(),
      persist: () => void this.directory.save(this.#record()).catch((error: unknown) => logger.error('pod record not written', { error })),
    };
  }

  async #containerSpec(container: Container, image: LocalImage, attempt: number) {
    await this.#prepared;
    const { sources, events } = this.#deps;
    const node = this.#deps.node();
    const addresses = { podIp: this.#requireSandbox().ip, hostIps: node.hostIps };
    const environment = await resolveEnvironment({ pod: this.#pod, container, addresses, node, sources, events });
    this.directory.prepareContainer(container.name, attempt);
    return buildContainerSpec({
      pod: this.#pod,
      container,
      image,
      attempt,
      environment,
      mounts: await this.#volumes.mounts(container, environment),
      logPath: this.directory.logPath(container.name, attempt),
      terminationPath: this.directory.terminationPath(container.name, attempt),
    });
  }

  #requireSandbox(): SandboxState {
    if (this.#sandbox === undefined) throw new Error('the pod has no sandbox');
    return this.#sandbox;
  }

  #record(): PodRecord {
    const entries = this.#all().map((one) => {
      const { terminated } = one.state;
      const last = one.lastTerminated;
      return [
        one.container.name,
        {
          attempt: one.restartCount,
          ...(terminated === undefined ? {} : { terminated }),
          ...(last === undefined ? {} : { lastTerminated: last }),
        },
      ] as const;
    });
    return { containers: Object.fromEntries(entries), ...(this.#final === undefined ? {} : { final: this.#final }) };
  }

  #all(): readonly ContainerSupervisor[] {
    return [...this.#init, ...this.#app, ...this.#ephemeral];
  }

  /** Publishes once for all changes made in one go. */
  #changed(): void {
    if (this.#publishing) return;
    this.#publishing = true;
    queueMicrotask(() => this.#publish());
  }

  #publish(): void {
    this.#publishing = false;
    this.#changes.notify();
    const status = this.#final ?? this.#build();
    if (isDeepStrictEqual(status, this.#status)) return;
    this.#status = status;
    if (isReady({ status })) this.#started();
    this.#deps.onChange(this.#pod);
  }

  #build(): PodStatus {
    return buildPodStatus({
      pod: this.#pod,
      previous: this.#status,
      init: this.#init,
      app: this.#app,
      ephemeral: this.#ephemeral,
      hasSandbox: this.#sandbox !== undefined,
      podIp: this.#sandbox?.ip ?? this.#status.podIP,
      hostIps: this.#deps.node().hostIps,
      now: this.#deps.clock.now(),
      ended: this.#ended,
    });
  }
}
