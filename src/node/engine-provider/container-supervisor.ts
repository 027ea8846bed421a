import type { Container } from '#apis/core/v1/container.ts';
import type { ContainerState, ContainerStateTerminated } from '#apis/core/v1/pod-status.ts';
import type { Probe } from '#apis/core/v1/probe.ts';
import type { ContainerState as EngineState } from '#apis/runtime/engine.ts';
import type { LocalImage } from '#apis/runtime/image-service.ts';
import { rfc3339, sleep } from '#core/clock.ts';
import { errorText, isDiskFull } from '#core/errors.ts';
import { GracefulStop } from '#node/engine-provider/graceful-stop.ts';
import { runHook } from '#node/engine-provider/lifecycle-hooks.ts';
import { shouldRestart, type ContainerRole, type ContainerView } from '#node/engine-provider/container-view.ts';
import type { ContainerHistory, SupervisorHost } from '#node/engine-provider/supervisor-host.ts';
import { RestartBackoff, goDuration } from '#node/engine-provider/restart-backoff.ts';
import { neverStarted, terminatedState, unlocated } from '#node/engine-provider/terminated-state.ts';
import { ContainerConfigError } from '#node/environment/resolve.ts';
import { ContainerProbes } from '#node/probes/container-probes.ts';

const configRetryMs = 5_000;
/** How long the status shows why a container could not be started before it shows the back-off. */
const showErrorMs = 1_000;

/**
 * Keeps one container of a pod running as its restart policy asks: image, start, probes, end, back-off, again. `run`
 * resolves when the container has ended for good or the pod is being stopped and the container has ended.
 */
export class ContainerSupervisor implements ContainerView {
  readonly role: ContainerRole;
  readonly #host: SupervisorHost;
  #container: Container;
  #state: ContainerState;
  #lastTerminated: ContainerStateTerminated | undefined;
  #attempt: number;
  #image: LocalImage | undefined;
  #imageId: string;
  #containerId: string;
  #instance = endedInstance();
  #isStarted = false;
  #isReady = false;
  #exit: PromiseWithResolvers<EngineState> | undefined;
  #probes: ContainerProbes | undefined;
  #stopping: GracefulStop | undefined;
  readonly #backoff: RestartBackoff;
  #definitionChanged = false;
  readonly #history: ContainerHistory;

  constructor(role: ContainerRole, container: Container, host: SupervisorHost, history: ContainerHistory) {
    this.role = role;
    this.#host = host;
    this.#container = container;
    this.#history = history;
    this.#attempt = history.attempt;
    this.#lastTerminated = history.lastTerminated;
    this.#imageId = history.imageId;
    this.#containerId = history.containerId;
    this.#backoff = new RestartBackoff(history.attempt, history.engine?.startedAtMs);
    const waiting = { waiting: { reason: host.hasInitContainers ? 'PodInitializing' : 'ContainerCreating' } };
    this.#state = history.terminated === undefined ? waiting : { terminated: history.terminated };
    this.#isReady = role === 'init' && history.terminated?.exitCode === 0;
  }

  get container(): Container {
    return this.#container;
  }
  get state(): ContainerState {
    return this.#state;
  }
  get lastTerminated(): ContainerStateTerminated | undefined {
    return this.#lastTerminated;
  }
  get ready(): boolean {
    return this.#isReady;
  }
  get started(): boolean {
    return this.#isStarted;
  }
  get restartCount(): number {
    return this.#attempt;
  }
  get image(): string {
    return this.#container.image ?? '';
  }
  get imageId(): string {
    return this.#imageId;
  }
  get containerId(): string {
    return this.#containerId;
  }
  /** Aborts when the instance that is running now has ended; aborted already when none runs. */
  get ended(): AbortSignal {
    return this.#instance.signal;
  }
  get isRunning(): boolean {
    return this.#state.running !== undefined;
  }

  /** See the class. Rejects only with the signal's reason, when the pod is stopped before the container was started. */
  async run(signal: AbortSignal): Promise<void> {
    let adopted = this.#adopt();
    for (;;) {
      if (!adopted) await this.#start(signal);
      adopted = false;
      if (this.#exit !== undefined) await this.#finish(await this.#exit.promise);
      const ended = this.#state.terminated;
      if (ended === undefined || signal.aborted || !this.#mayRestart(ended.exitCode)) return;
      await this.#waitBackoff(ended, signal);
      this.#attempt += 1;
    }
  }

  /** Reports an exit seen by the engine. */
  exited(state: EngineState): void {
    if (state.attempt === this.#attempt) this.#exit?.resolve(state);
  }

  /** Takes over a changed container; a new image restarts it. */
  update(container: Container): void {
    const changed = container.image !== this.#container.image;
    this.#container = container;
    if (!changed || !this.isRunning) return;
    this.#definitionChanged = true;
    this.#host.events.normal(
      this.#host.pod,
      'Killing',
      `Container ${container.name} definition changed, will be restarted`,
      container.name,
    );
    void this.stop(this.#host.graceSeconds);
  }

  /** Ends the container: preStop hook, stop signal, grace, kill. A shorter grace while it is ending shortens the wait. */
  async stop(graceSeconds: number): Promise<void> {
    const exit = this.#exit;
    if (exit === undefined) return;
    this.#stopping ??= new GracefulStop({
      engine: this.#host.engine,
      clock: this.#host.clock,
      sandboxId: this.#host.sandboxId,
      container: this.#container.name,
      stopSignal: this.#container.lifecycle?.stopSignal ?? this.#image?.config.stopSignal ?? '',
      preStop: this.#preStop(),
      exited: exit.promise,
      logger: this.#host.logger,
    });
    await this.#stopping.within(graceSeconds);
  }

  pauseProbes(): void {
    this.#probes?.pause();
  }
  resumeProbes(): void {
    this.#probes?.resume();
  }

  /** The pod has ended before this container could start (again): what it was waiting for no longer matters. */
  settle(): void {
    this.#probes?.stop();
    this.#isReady = this.role === 'init' && this.#state.terminated?.exitCode === 0;
    this.#isStarted = false;
    if (this.#state.waiting !== undefined && this.#lastTerminated !== undefined) this.#state = { terminated: this.#lastTerminated };
  }

  /** Continues with what an earlier agent left: true when there is a container (running or just ended) to wait for. */
  #adopt(): boolean {
    const { engine, terminated, wasRunning } = this.#history;
    if (terminated !== undefined) return true;
    if (engine === undefined) {
      if (wasRunning !== undefined) this.#state = { terminated: unlocated(wasRunning, this.#host.clock.now(), this.#containerId) };
      return wasRunning !== undefined;
    }
    this.#exit = Promise.withResolvers<EngineState>();
    this.#containerId = engine.id;
    if (engine.status === 'exited') this.#exit.resolve(engine);
    else this.#running(engine, this.#history);
    return true;
  }

  #mayRestart(exitCode: number): boolean {
    return this.#definitionChanged || shouldRestart(this.role, this.#host.pod.spec?.restartPolicy ?? 'Always', exitCode);
  }

  async #start(signal: AbortSignal): Promise<void> {
    this.#image = await this.#host.puller.ensure({
      pod: this.#host.pod,
      container: this.#container,
      signal,
      onWaiting: (reason, message) => this.#waiting(reason, message),
    });
    this.#imageId = this.#image.reference;
    this.#stopping = undefined;
    this.#definitionChanged = false;
    for (let failure = await this.#launch(this.#image, signal); failure !== undefined; failure = await this.#launch(this.#image, signal)) {
      this.#cannotCreate('CreateContainerError', failure);
      await sleep(this.#host.clock, configRetryMs, signal);
    }
  }

  /** One attempt at the container's start; what failed on a full disk is returned, to be tried again. */
  async #launch(image: LocalImage, signal: AbortSignal): Promise<string | undefined> {
    const spec = await this.#configure(image, signal);
    signal.throwIfAborted();
    this.#exit = Promise.withResolvers<EngineState>();
    try {
      this.#host.events.normal(this.#host.pod, 'Created', `Created container: ${this.#container.name}`, this.#container.name);
      const state = await this.#host.engine.startContainer(this.#host.sandboxId, spec, signal);
      this.#containerId = state.id;
      this.#host.events.normal(this.#host.pod, 'Started', `Started container ${this.#container.name}`, this.#container.name);
      if (this.#attempt > 0) this.#host.persist();
      this.#running(state, undefined);
      if (signal.aborted) this.#stopLate();
    } catch (error) {
      this.#exit = undefined;
      const message = error instanceof Error ? error.message : String(error);
      if (isDiskFull(error)) return message;
      this.#startFailed(message);
    }
    return undefined;
  }

  /** The pod was stopped while the container was being started: the signal sent then found nobody. */
  #stopLate(): void {
    this.#stopping = undefined;
    void this.stop(this.#host.graceSeconds);
  }

  /** Builds the container's spec, again and again while something it needs is missing. */
  async #configure(image: LocalImage, signal: AbortSignal) {
    for (;;) {
      try {
        return await this.#host.containerSpec(this.#container, image, this.#attempt);
      } catch (error) {
        signal.throwIfAborted();
        const reason = error instanceof ContainerConfigError ? 'CreateContainerConfigError' : 'CreateContainerError';
        this.#cannotCreate(reason, errorText(error));
        await sleep(this.#host.clock, configRetryMs, signal);
      }
    }
  }

  #cannotCreate(reason: string, message: string): void {
    this.#host.events.warning(this.#host.pod, 'Failed', `Error: ${message}`, this.#container.name);
    this.#waiting(reason, message);
  }

  #startFailed(message: string): void {
    this.#host.events.warning(this.#host.pod, 'Failed', `Error: ${message}`, this.#container.name);
    this.#ended(neverStarted(message, this.#host.clock.now()));
  }

  #running(state: EngineState, adopted: ContainerHistory | undefined): void {
    const startedAt = rfc3339(state.startedAtMs ?? this.#host.clock.now());
    this.#state = { running: { startedAt } };
    this.#instance = new AbortController();
    this.#isStarted = adopted?.wasStarted ?? false;
    this.#isReady = adopted?.wasReady ?? false;
    this.#probes = this.#createProbes();
    const hook = this.#container.lifecycle?.postStart;
    if (hook === undefined || adopted !== undefined) this.#probes.start(this.#isStarted, this.#isReady);
    else void this.#postStart(this.#probes);
    this.#host.changed();
  }

  async #postStart(probes: ContainerProbes): Promise<void> {
    const { clock, events, pod } = this.#host;
    const hook = this.#container.lifecycle?.postStart ?? {};
    try {
      await runHook(hook, this.#host.probeTarget(this.#container), clock, this.#host.signal);
      probes.start();
    } catch (error) {
      if (!this.isRunning || this.#stopping !== undefined) return;
      events.warning(pod, 'FailedPostStartHook', `PostStartHook failed: ${errorText(error)}`, this.#container.name);
      events.normal(pod, 'Killing', `FailedPostStartHook`, this.#container.name);
      await this.stop(this.#host.graceSeconds);
    }
  }

  #createProbes(): ContainerProbes {
    const { events, pod, clock, pace } = this.#host;
    const { startupProbe, readinessProbe, livenessProbe, name } = this.#container;
    return new ContainerProbes({
      probes:
        this.role === 'init' || this.role === 'ephemeral'
          ? {}
          : { startup: startupProbe, readiness: readinessProbe, liveness: livenessProbe },
      target: this.#host.probeTarget(this.#container),
      clock,
      pace,
      aggressive: this.#host.aggressiveProbes,
      detectHttp2: this.#host.detectsHttp2,
      listener: {
        started: () => this.#mark({ started: true }),
        ready: (isReady) => this.#mark({ ready: isReady }),
        unhealthy: (kind, message) => events.warning(pod, 'Unhealthy', `${kind} probe failed: ${message}`, name),
        failed: (kind, probe) => this.#probeFailed(kind.toLowerCase(), probe),
      },
    });
  }

  #mark(change: { readonly started?: boolean; readonly ready?: boolean }): void {
    if (!this.isRunning) return;
    this.#isStarted = change.started ?? this.#isStarted;
    this.#isReady = this.role === 'init' ? false : (change.ready ?? this.#isReady);
    this.#host.changed();
  }

  #probeFailed(kind: string, probe: Probe): void {
    if (!this.isRunning || this.#stopping !== undefined) return;
    const { events, pod, graceSeconds } = this.#host;
    const name = this.#container.name;
    events.normal(pod, 'Killing', `Container ${name} failed ${kind} probe, will be restarted`, name);
    void this.stop(probe.terminationGracePeriodSeconds ?? graceSeconds);
  }

  #preStop(): ((signal: AbortSignal) => Promise<void>) | undefined {
    const hook = this.#container.lifecycle?.preStop;
    if (hook === undefined) return undefined;
    const { clock, events, pod } = this.#host;
    const target = this.#host.probeTarget(this.#container);
    return async (signal) => {
      try {
        await runHook(hook, target, clock, signal);
      } catch (error) {
        events.warning(pod, 'FailedPreStopHook', `PreStopHook failed: ${errorText(error)}`, this.#container.name);
      }
    };
  }

  async #finish(exit: EngineState): Promise<void> {
    this.#probes?.stop();
    this.#exit = undefined;
    const message = await this.#host.terminationMessage(this.#container, this.#attempt, exit.exitCode ?? 0);
    this.#ended(terminatedState(exit, message));
  }

  #ended(terminated: ContainerStateTerminated): void {
    this.#state = { terminated };
    this.#instance.abort();
    this.#isStarted = false;
    this.#isReady = this.role === 'init' && terminated.exitCode === 0;
    this.#host.persist();
    this.#host.changed();
  }

  async #waitBackoff(ended: ContainerStateTerminated, signal: AbortSignal): Promise<void> {
    this.#lastTerminated = ended;
    const { clock, events, pod } = this.#host;
    if (this.#definitionChanged) return;
    if (ended.reason === 'StartError') {
      this.#waiting('RunContainerError', ended.message ?? '');
      await sleep(clock, showErrorMs, signal);
    }
    const finishedMs = ended.finishedAt === undefined ? clock.now() : Date.parse(ended.finishedAt);
    const delayMs = this.#backoff.next(finishedMs);
    if (delayMs === 0) return;
    const name = this.#container.name;
    const where = `${pod.metadata.name}_${pod.metadata.namespace}(${pod.metadata.uid})`;
    events.warning(pod, 'BackOff', `Back-off restarting failed container ${name} in pod ${where}`, name);
    const message = `back-off ${goDuration(delayMs)} restarting failed container=${name} pod=${where}`;
    this.#waiting('CrashLoopBackOff', message);
    await sleep(clock, Math.max(0, finishedMs + delayMs - clock.now()), signal);
  }

  #waiting(reason: string, message: string): void {
    this.#state = { waiting: { reason, message } };
    this.#host.changed();
  }
}

function endedInstance(): AbortController {
  const controller = new AbortController();
  controller.abort();
  return controller;
}
