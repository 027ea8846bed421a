import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, rmSync, watch, type FSWatcher } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Mutex } from '#core/async.ts';
import { directoryBytes } from '#core/directory-bytes.ts';
import { sleep } from '#core/clock.ts';
import { errorText } from '#core/errors.ts';
import type {
  ContainerSpec,
  ContainerState,
  EngineCapabilities,
  ExecSpec,
  SandboxSpec,
  SandboxState,
  SandboxStats,
  StreamIo,
} from '#apis/runtime/engine.ts';
import type { LocalContainerEngine } from '#providers/local/engine.ts';
import { NotFoundError, StartError } from '#providers/local/errors.ts';
import type { Host } from '#providers/local/host.ts';
import { describeCapabilities } from '#providers/local/capabilities.ts';
import { ContainerRun } from '#providers/local/container/container-run.ts';
import { containerFiles } from '#providers/local/container/files.ts';
import { stdinHolderNote } from '#providers/local/container/monitor-steps.ts';
import { containerState, storedPrivileges } from '#providers/local/container/record.ts';
import { planStart, type ProcessNamespace } from '#providers/local/container/start-plan.ts';
import { attachStreams } from '#providers/local/exec/attach.ts';
import { dialPod } from '#providers/local/exec/dial.ts';
import { execPrefix } from '#providers/local/exec/exec-program.ts';
import { runInContainer } from '#providers/local/exec/exec.ts';
import { closeBridge, type Bridge } from '#providers/local/network/bridge.ts';
import type { SlotFactory } from '#providers/local/network/slot-factory.ts';
import { SlotPool } from '#providers/local/network/slot-pool.ts';
import { initProgramPrefix } from '#providers/local/runtimes/init-program.ts';
import type { Runtime } from '#providers/local/runtimes/runtime.ts';
import { processesBeside, processesWith, send } from '#providers/local/processes.ts';
import { forwardPorts, isPodForwarder } from '#providers/local/rootless/pod-forwarders.ts';
import { Sandbox } from '#providers/local/sandbox.ts';
import type { SlotRecord } from '#providers/local/state.ts';

export interface LocalEngineParts {
  readonly host: Host;
  readonly bridge: Bridge | undefined;
  readonly factory: SlotFactory;
  readonly runtime: Runtime;
  readonly records: readonly SlotRecord[];
  readonly remarks: readonly string[];
  readonly prepared: number;
}

type ExitListener = (sandboxId: string, state: ContainerState) => void;

/** How often running containers are looked at, in case even a monitor was killed. Ends are normally noticed at once through its exit file. */
const livenessPeriodMs = 10_000;

export class LocalEngine implements LocalContainerEngine {
  readonly capabilities: EngineCapabilities;
  readonly #parts: LocalEngineParts;
  readonly #host: Host;
  readonly #pool: SlotPool;
  readonly #sandboxes = new Map<string, Sandbox>();
  readonly #locks = new Map<string, Mutex>();
  readonly #listeners = new Set<ExitListener>();
  readonly #watcher: FSWatcher;
  #stopLiveness: () => void = () => {};
  #listed = false;
  #closed = false;

  private constructor(parts: LocalEngineParts) {
    this.#parts = parts;
    this.#host = parts.host;
    this.capabilities = describeCapabilities(parts);
    const free = parts.records.filter((record) => record.spec === undefined && parts.factory.isWhole(record));
    this.#pool = new SlotPool(parts.factory, parts.prepared, free, parts.host.logger);
    this.#watcher = watch(this.#host.exitsDirectory, (_event, name) => this.#noticeExit(name ?? ''));
    this.#watcher.unref();
  }

  static async open(parts: LocalEngineParts): Promise<LocalEngine> {
    const engine = new LocalEngine(parts);
    for (const record of parts.records) {
      if (record.spec !== undefined) await engine.#adopt(record, record.spec);
      else if (!parts.factory.isWhole(record)) await parts.factory.remove(record);
    }
    engine.#watchLiveness();
    void engine.#pool.fill();
    return engine;
  }

  prepared(): Promise<void> {
    return this.#pool.fill();
  }

  list(): Promise<readonly SandboxState[]> {
    const states = [...this.#sandboxes.values()].map((sandbox) => sandbox.state());
    if (!this.#listed) {
      this.#listed = true;
      setImmediate(() => {
        for (const { id, containers } of states) {
          for (const state of containers) if (state.status === 'exited') this.#emit(id, state);
        }
      });
    }
    return Promise.resolve(states);
  }

  createSandbox(spec: SandboxSpec, signal: AbortSignal): Promise<SandboxState> {
    return this.#lock(spec.id, async () => {
      const existing = this.#sandboxes.get(spec.id);
      if (existing !== undefined) return existing.state();
      signal.throwIfAborted();
      const slot = await this.#pool.take({ hostNetwork: spec.hostNetwork, shareProcessNamespace: spec.shareProcessNamespace });
      const sandbox = await this.#occupy(slot, spec);
      this.#sandboxes.set(spec.id, sandbox);
      // After the pod's own processes have been started: preparing the next sandbox must not compete with them.
      this.#host.clock.after(refillDelayMs, () => void this.#pool.fill());
      return sandbox.state();
    });
  }

  /** Gives a slot to a pod; one that cannot be written down, on a full disk say, is not kept. */
  async #occupy(slot: SlotRecord, spec: SandboxSpec): Promise<Sandbox> {
    try {
      const sandbox = new Sandbox(this.#host, slot, spec);
      sandbox.save();
      if (this.#host.inUserNamespace) await forwardPorts(this.#host, slot, spec.ports ?? []);
      return sandbox;
    } catch (error) {
      await this.#parts.factory.remove(slot);
      throw error;
    }
  }

  removeSandbox(id: string): Promise<void> {
    return this.#lock(id, async () => {
      const sandbox = this.#sandboxes.get(id);
      if (sandbox === undefined) return;
      for (const run of sandbox.runs) run.detach();
      // What no namespace and no control group holds together is found while its inits live.
      const rest = sandbox.spec.hostProcesses === true ? sandbox.runs.flatMap((run) => this.#restOf(sandbox, run)) : [];
      for (const pid of rest) send(pid, 'SIGKILL');
      await this.#parts.factory.remove(sandbox.slot);
      for (const run of sandbox.runs) await this.#parts.runtime.forget(run.files);
      this.#sandboxes.delete(id);
      this.#locks.delete(id);
    });
  }

  startContainer(sandboxId: string, spec: ContainerSpec, signal: AbortSignal): Promise<ContainerState> {
    return this.#lock(sandboxId, async () => {
      const sandbox = this.#sandbox(sandboxId);
      signal.throwIfAborted();
      const previous = sandbox.find(spec.name);
      if (previous !== undefined && previous.record.ended === undefined) {
        if (previous.record.attempt === spec.attempt) return containerState(previous.record);
        throw new Error(`container ${spec.name} is still running`);
      }
      const run = await this.#start(sandbox, spec);
      if (previous !== undefined) await this.#forgetRun(sandbox, previous);
      sandbox.put(run);
      this.#finish(sandbox, run);
      return containerState(run.record);
    });
  }

  signalContainer(sandboxId: string, name: string, signal: string): Promise<void> {
    const sandbox = this.#sandboxes.get(sandboxId);
    const number = /^\d+$/.test(signal) ? Number(signal) : (signal as NodeJS.Signals);
    const run = sandbox?.find(name);
    const isKill = signal === 'SIGKILL' || number === 9;
    const rest = sandbox !== undefined && run !== undefined && isKill ? this.#restOf(sandbox, run) : [];
    run?.signal(number);
    for (const pid of rest) run?.killProcess(pid);
    // A frozen one cannot die.
    if (sandbox !== undefined && isKill && this.#host.cgroups.isFrozen(sandbox.slot.slot)) this.#host.cgroups.thaw(sandbox.slot.slot);
    return Promise.resolve();
  }

  onExit(listener: ExitListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async exec(sandboxId: string, name: string, spec: ExecSpec): Promise<number> {
    const sandbox = this.#sandbox(sandboxId);
    return runInContainer(this.#host, sandbox, sandbox.running(name), spec);
  }

  async attach(sandboxId: string, name: string, spec: StreamIo): Promise<void> {
    await attachStreams(this.#sandbox(sandboxId).running(name), spec);
  }

  async dial(sandboxId: string, port: number, signal: AbortSignal): ReturnType<LocalContainerEngine['dial']> {
    return dialPod(this.#host, this.#sandbox(sandboxId), port, signal);
  }

  stats(sandboxId: string): Promise<SandboxStats> {
    const sandbox = this.#sandbox(sandboxId);
    const containers = sandbox.runs.flatMap(({ record }) => {
      const usage = record.ended === undefined ? this.#host.cgroups.usage(cgroupOf(sandbox, record)) : undefined;
      return usage === undefined ? [] : [{ name: record.name, ...usage }];
    });
    return Promise.resolve({ timestampMs: this.#host.clock.now(), containers });
  }

  async diskUsage(sandboxId: string): ReturnType<LocalContainerEngine['diskUsage']> {
    const { slot, runs } = this.#sandbox(sandboxId);
    const layers = this.#host.layersOf(slot.slot);
    return Promise.all(
      runs.map(async ({ record: { name, attempt } }) => ({ name, usedBytes: await directoryBytes(join(layers, `${name}.${attempt}`)) })),
    );
  }

  freeze(sandboxId: string): Promise<void> {
    this.#host.cgroups.freeze(this.#sandbox(sandboxId).slot.slot);
    return Promise.resolve();
  }

  thaw(sandboxId: string): Promise<void> {
    this.#host.cgroups.thaw(this.#sandbox(sandboxId).slot.slot);
    return Promise.resolve();
  }

  async cleanupAll(): Promise<void> {
    await this.#close();
    for (const sandbox of this.#sandboxes.values()) for (const run of sandbox.runs) run.detach();
    for (const sandbox of this.#sandboxes.values()) {
      await this.#parts.factory.remove(sandbox.slot);
      for (const run of sandbox.runs) await this.#parts.runtime.forget(run.files);
    }
    await this.#pool.clear();
    this.#host.killLaunched(this.#host.runDir);
    await this.#host.cgroups.remove('');
    await closeBridge(this.#host);
    await this.#host.removeAllFiles();
  }

  /** Lets go of everything; containers go on. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
    for (const sandbox of this.#sandboxes.values()) for (const run of sandbox.runs) run.detach();
  }

  async #close(): Promise<void> {
    this.#closed = true;
    this.#watcher.close();
    this.#stopLiveness();
    await this.#pool.close();
  }

  async #start(sandbox: Sandbox, spec: ContainerSpec): Promise<ContainerRun> {
    const { runtime } = this.#parts;
    const { slot } = sandbox.slot;
    const files = containerFiles(this.#host.slots.directoryOf(slot), this.#host.exitsDirectory, slot, spec.name, spec.attempt);
    rmSync(files.directory, { recursive: true, force: true });
    rmSync(files.exit, { force: true });
    mkdirSync(files.directory, { mode: 0o700 });
    try {
      const processes = processesOf(sandbox, spec);
      const plan = planStart(this.#host, sandbox.slot, sandbox.spec, spec, runtime, processes);
      const program = runtime.program(plan, files);
      const startedAtMs = this.#host.clock.now();
      const { pid, notes } = await this.#host.launcher.run(program, files.program);
      const init = runtime.init(files, notes);
      const stdinHolderPid = notes.get(stdinHolderNote);
      const record = {
        name: spec.name,
        attempt: spec.attempt,
        id: `dormouse://${randomUUID().replaceAll('-', '')}`,
        startedAtMs,
        monitorPid: pid,
        initPid: init.pid,
        initProgram: init.program,
        ...(stdinHolderPid === undefined ? {} : { stdinHolderPid }),
        environment: plan.environment,
        workingDirectory: plan.workingDirectory,
        privileges: storedPrivileges(plan.privileges),
        logPath: spec.logPath,
        tty: spec.tty,
        stdin: spec.stdin,
        stdinOnce: spec.stdinOnce,
        ...(processes === 'own' ? {} : { livesAmongOthers: true }),
      };
      const run = new ContainerRun(this.#host, record, files);
      run.follow();
      return run;
    } catch (error) {
      const complaint = runtime.complaint(files);
      await this.#discard(sandbox, spec, files);
      throw new StartError(error, complaint);
    }
  }

  /** Removes what a run that did not come about, or is over, has left. */
  async #discard(sandbox: Sandbox, run: { readonly name: string; readonly attempt: number }, files: ContainerRun['files']): Promise<void> {
    this.#host.killLaunched(files.directory);
    this.#host.killInits(sandbox.slot.slot, `${run.name}.${run.attempt}`);
    await this.#parts.runtime.forget(files);
    await this.#host.cgroups.remove(cgroupOf(sandbox, run));
    await rm(files.directory, { recursive: true, force: true });
    await rm(join(this.#host.layersOf(sandbox.slot.slot), `${run.name}.${run.attempt}`), { recursive: true, force: true });
    rmSync(files.exit, { force: true });
  }

  async #forgetRun(sandbox: Sandbox, run: ContainerRun): Promise<void> {
    await this.#discard(sandbox, run.record, run.files);
  }

  async #adopt(slot: SlotRecord, spec: SandboxSpec): Promise<void> {
    const sandbox = new Sandbox(this.#host, slot, spec);
    const directory = this.#host.slots.directoryOf(slot.slot);
    for (const record of slot.containers) {
      const run = new ContainerRun(
        this.#host,
        record,
        containerFiles(directory, this.#host.exitsDirectory, slot.slot, record.name, record.attempt),
      );
      if (record.ended === undefined) run.follow();
      sandbox.put(run);
    }
    this.#sandboxes.set(spec.id, sandbox);
    const known = new Set(slot.containers.map(({ name, attempt }) => `${name}.${attempt}`));
    await killUnrecorded(this.#host, slot.slot, known);
    for (const run of unrecordedRuns(this.#host, slot.slot, known)) await this.#discard(sandbox, run, run.files);
    for (const run of sandbox.runs) this.#finish(sandbox, run);
  }

  #noticeExit(name: string): void {
    const [slot, container] = /^([0-9a-f]+)\.(.+)\.\d+$/.exec(name)?.slice(1) ?? [];
    const sandbox = [...this.#sandboxes.values()].find((one) => one.slot.slot === slot);
    const run = sandbox?.find(container ?? '');
    if (sandbox !== undefined && run !== undefined && existsSync(run.files.exit)) this.#finish(sandbox, run);
  }

  #finish(sandbox: Sandbox, run: ContainerRun): void {
    try {
      const ended = run.finish(() => this.#host.cgroups.oomKills(cgroupOf(sandbox, run.record)) > 0);
      if (ended === undefined) return;
      if (this.#listed) setImmediate(() => this.#emit(sandbox.spec.id, containerState(ended)));
      sandbox.save();
    } catch (error) {
      this.#host.logger.error('recording the end of a container failed', { container: run.record.name, error: errorText(error) });
    }
  }

  #emit(id: string, state: ContainerState): void {
    if (this.#closed) return;
    for (const listener of this.#listeners) listener(id, state);
  }

  #watchLiveness(): void {
    if (this.#closed) return;
    this.#stopLiveness = this.#host.clock.after(livenessPeriodMs, () => {
      for (const sandbox of this.#sandboxes.values()) for (const run of sandbox.runs) this.#finish(sandbox, run);
      this.#watchLiveness();
    });
  }

  /** In a shared process namespace the end of a container's init does not end its other processes. */
  #restOf(sandbox: Sandbox, run: ContainerRun): readonly number[] {
    const { record } = run;
    if (record.livesAmongOthers !== true && sandbox.slot.podInitPid === undefined) return [];
    const inGroup = this.#host.cgroups.processes(cgroupOf(sandbox, record));
    return inGroup.length > 0 || !run.isRunning() ? inGroup : processesBeside(record.initPid);
  }

  #sandbox(id: string): Sandbox {
    const sandbox = this.#sandboxes.get(id);
    if (sandbox === undefined) throw new NotFoundError(`sandbox ${id}`);
    return sandbox;
  }

  #lock<T>(id: string, section: () => Promise<T>): Promise<T> {
    const lock = this.#locks.get(id) ?? new Mutex();
    this.#locks.set(id, lock);
    return lock.run(section);
  }
}

/**
 * Ends what was being started when we died: nobody knows of it, and the container will be started again. Launchers, the OCI runtime at work on
 * a container, and the container it has made, whose init tells by its program whose it is; and commands whose callers went with us. Looks again until there is nothing: a runtime may
 * be about to make another process.
 */
async function killUnrecorded(host: Host, slot: string, known: ReadonlySet<string>): Promise<void> {
  const directory = host.slots.directoryOf(slot);
  const isForgotten = (path: string) => {
    const [name = '', file = ''] = path.startsWith(`${directory}/`) ? path.slice(directory.length + 1).split('/') : [];
    return name !== '' && (!isKnown(name) || file.startsWith(execPrefix));
  };
  const isKnown = (name: string) => known.has(name) || name === 'holder.program' || isPodForwarder(name);
  const isForgottenInit = (path: string) =>
    path.startsWith(`${initProgramPrefix}${slot}.`) && !known.has(path.slice(initProgramPrefix.length + slot.length + 1));
  const found = () => processesWith((words) => words.some((word) => isForgotten(word) || isForgottenInit(word)));
  for (let left = found(); left.length > 0; left = found()) {
    for (const pid of left) send(pid, 'SIGKILL');
    await sleep(host.clock, 10);
  }
}

/** Runs of which there are files but no record. */
function unrecordedRuns(host: Host, slot: string, known: ReadonlySet<string>) {
  const directory = host.slots.directoryOf(slot);
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const [, name = '', attempt = ''] = /^(.+)\.(\d+)$/.exec(entry.name) ?? [];
    if (!entry.isDirectory() || name === '' || known.has(entry.name)) return [];
    return [{ name, attempt: Number(attempt), files: containerFiles(directory, host.exitsDirectory, slot, name, Number(attempt)) }];
  });
}

function processesOf(sandbox: Sandbox, spec: ContainerSpec): ProcessNamespace {
  if (sandbox.spec.hostProcesses === true) return 'machine';
  if (sandbox.slot.podInitPid !== undefined) return sandbox.slot.podInitPid;
  return spec.processesOf === undefined ? 'own' : sandbox.running(spec.processesOf).record.initPid;
}

/** Long enough for the pod that took a sandbox to have started. */
const refillDelayMs = 150;

function cgroupOf(sandbox: Sandbox, run: { readonly name: string; readonly attempt: number }): string {
  return `${sandbox.slot.slot}/${run.name}.${run.attempt}`;
}
