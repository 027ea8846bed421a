import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { PassThrough } from 'node:stream';
import type { Clock } from '#core/clock.ts';
import type {
  ContainerSpec,
  ContainerState,
  Engine,
  EngineCapabilities,
  ExecSpec,
  SandboxSpec,
  SandboxState,
  SandboxStats,
  StreamIo,
} from '#apis/runtime/engine.ts';

/** What a fake container does; by default it runs until it is told to stop, and ends with 143 on SIGTERM. */
export interface FakeProgram {
  /** Ends by itself with this code, `afterMs` later (0: at once). */
  readonly exit?: { readonly code: number; readonly signal?: number; readonly afterMs: number; readonly oomKilled?: boolean };
  /** Does not react to SIGTERM. */
  readonly ignoresTerm?: boolean;
  /** `startContainer` fails with this. */
  readonly startError?: string;
  /** Written to the termination message file before the end. */
  readonly message?: string;
  /** Written to the log (stdout) at the start, one line. */
  readonly output?: string;
  /** Answers `exec`: exit code and output. */
  readonly exec?: (command: readonly string[]) => { readonly code: number; readonly output?: string };
}

interface FakeSandbox {
  readonly spec: SandboxSpec;
  readonly ip: string;
  frozen: boolean;
  readonly containers: Map<string, { state: ContainerState; spec: ContainerSpec; program: FakeProgram }>;
}

/**
 * An Engine without processes: containers follow programs given per container name (and attempt). Time is the clock's.
 * Keeps a journal of calls, so that a test can say in which order things happened.
 */
export class FakeEngine implements Engine {
  readonly capabilities: EngineCapabilities = {
    runtime: 'fake',
    rootless: false,
    isolation: 'none, this is a test',
    limits: { cpu: true, memory: true, pids: true },
    freeze: true,
    remarks: [],
  };
  readonly journal: string[] = [];
  /** Programs by container name; a function gets the attempt. */
  readonly programs = new Map<string, FakeProgram | ((attempt: number) => FakeProgram)>();
  /** While set, createSandbox fails with it. */
  sandboxError: string | undefined;
  readonly #clock: Clock;
  readonly #sandboxes = new Map<string, FakeSandbox>();
  readonly #listeners = new Set<(sandboxId: string, state: ContainerState) => void>();
  #nextIp = 2;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  list(): Promise<readonly SandboxState[]> {
    return Promise.resolve([...this.#sandboxes.values()].map(stateOf));
  }

  createSandbox(spec: SandboxSpec, _signal: AbortSignal): Promise<SandboxState> {
    if (this.sandboxError !== undefined) return Promise.reject(new Error(this.sandboxError));
    const existing = this.#sandboxes.get(spec.id);
    if (existing !== undefined) return Promise.resolve(stateOf(existing));
    this.journal.push(`createSandbox ${spec.name}`);
    const sandbox: FakeSandbox = { spec, ip: `10.88.0.${this.#nextIp}`, frozen: false, containers: new Map() };
    this.#nextIp += 1;
    this.#sandboxes.set(spec.id, sandbox);
    return Promise.resolve(stateOf(sandbox));
  }

  /** The container of that name as it was started last, in whatever sandbox. */
  started(name: string): ContainerSpec | undefined {
    return [...this.#sandboxes.values()].findLast(({ containers }) => containers.has(name))?.containers.get(name)?.spec;
  }

  /** By sandbox and container. */
  readonly written = new Map<string, number>();
  diskUsage(id: string) {
    const names = [...(this.#sandboxes.get(id)?.containers.keys() ?? [])];
    return Promise.resolve(names.map((name) => ({ name, usedBytes: this.written.get(`${id}/${name}`) ?? 0 })));
  }

  async removeSandbox(id: string): Promise<void> {
    const sandbox = this.#sandboxes.get(id);
    if (sandbox === undefined) return;
    for (const name of sandbox.containers.keys()) await this.end(id, name, { exitCode: 137, signal: 9 });
    this.journal.push(`removeSandbox ${sandbox.spec.name}`);
    this.#sandboxes.delete(id);
  }

  async startContainer(sandboxId: string, spec: ContainerSpec, _signal: AbortSignal): Promise<ContainerState> {
    const sandbox = this.#sandbox(sandboxId);
    const entry = this.programs.get(spec.name) ?? {};
    const program = typeof entry === 'function' ? entry(spec.attempt) : entry;
    if (program.startError !== undefined) throw new Error(program.startError);
    this.journal.push(`start ${spec.name}#${spec.attempt}`);
    const state: ContainerState = {
      name: spec.name,
      attempt: spec.attempt,
      status: 'running',
      id: `dormouse://${sandboxId}/${spec.name}/${spec.attempt}`,
      startedAtMs: this.#clock.now(),
    };
    sandbox.containers.set(spec.name, { state, spec, program });
    if (program.output !== undefined) await this.#log(spec, program.output);
    if (program.exit !== undefined) {
      const { code, afterMs, ...how } = program.exit;
      const result = { exitCode: code, ...how };
      this.#clock.after(afterMs, () => void this.end(sandboxId, spec.name, result, spec.attempt));
    }
    return state;
  }

  async signalContainer(sandboxId: string, name: string, signal: string): Promise<void> {
    const container = this.#sandboxes.get(sandboxId)?.containers.get(name);
    if (container === undefined || container.state.status !== 'running') return;
    this.journal.push(`${signal} ${name}`);
    if (signal === 'SIGKILL') await this.end(sandboxId, name, { exitCode: 137, signal: 9 });
    else if (container.program.ignoresTerm !== true) await this.end(sandboxId, name, { exitCode: 143, signal: 15 });
  }

  onExit(listener: (sandboxId: string, state: ContainerState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  exec(sandboxId: string, name: string, spec: ExecSpec): Promise<number> {
    const container = this.#sandbox(sandboxId).containers.get(name);
    const result = container?.program.exec?.(spec.command) ?? { code: 0 };
    if (result.output !== undefined) spec.stdout?.write(result.output);
    return Promise.resolve(result.code);
  }

  attach(_sandboxId: string, _name: string, spec: StreamIo): Promise<void> {
    if (spec.stdin !== undefined && spec.stdout !== undefined) spec.stdin.pipe(spec.stdout, { end: false });
    return new Promise((resolve) => spec.signal.addEventListener('abort', () => resolve(), { once: true }));
  }

  dial(): ReturnType<Engine['dial']> {
    const stream = new PassThrough();
    return Promise.resolve({ readable: stream, writable: stream, destroy: () => void stream.destroy() });
  }

  stats(sandboxId: string): Promise<SandboxStats> {
    const containers = [...this.#sandbox(sandboxId).containers.keys()].map((name) => ({
      name,
      cpuUsageNanos: 1_000_000,
      memoryWorkingSetBytes: 4096,
      memoryUsageBytes: 8192,
      pids: 1,
    }));
    return Promise.resolve({ timestampMs: this.#clock.now(), containers });
  }

  freeze(sandboxId: string): Promise<void> {
    this.#sandbox(sandboxId).frozen = true;
    this.journal.push('freeze');
    return Promise.resolve();
  }

  thaw(sandboxId: string): Promise<void> {
    this.#sandbox(sandboxId).frozen = false;
    this.journal.push('thaw');
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }

  /** Lets a running container end, as if by itself. */
  async end(
    sandboxId: string,
    name: string,
    result: { exitCode: number; signal?: number; oomKilled?: boolean },
    attempt?: number,
  ): Promise<void> {
    const container = this.#sandboxes.get(sandboxId)?.containers.get(name);
    if (container === undefined || container.state.status !== 'running') return;
    if (attempt !== undefined && container.state.attempt !== attempt) return;
    container.state = { ...container.state, ...result, status: 'exited', finishedAtMs: this.#clock.now() };
    if (container.program.message !== undefined) await writeFile(container.spec.terminationMessage.hostPath, container.program.message);
    for (const listener of this.#listeners) listener(sandboxId, container.state);
  }

  /** The spec a container was last started with. */
  specOf(sandboxId: string, name: string): ContainerSpec | undefined {
    return this.#sandboxes.get(sandboxId)?.containers.get(name)?.spec;
  }

  async #log(spec: ContainerSpec, text: string): Promise<void> {
    await mkdir(dirname(spec.logPath), { recursive: true });
    await writeFile(spec.logPath, `${new Date(this.#clock.now()).toISOString()} stdout F ${text}\n`, { flag: 'a' });
  }

  #sandbox(id: string): FakeSandbox {
    const sandbox = this.#sandboxes.get(id);
    if (sandbox === undefined) throw new Error(`no sandbox ${id}`);
    return sandbox;
  }
}

function stateOf(sandbox: FakeSandbox): SandboxState {
  return {
    id: sandbox.spec.id,
    namespace: sandbox.spec.namespace,
    name: sandbox.spec.name,
    ip: sandbox.ip,
    frozen: sandbox.frozen,
    containers: [...sandbox.containers.values()].map((container) => container.state),
  };
}
