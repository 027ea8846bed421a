import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { until as askUntil } from '#core/testing.ts';
import type { ContainerSpec, ContainerState, Engine } from '#apis/runtime/engine.ts';
import type { LocalImage } from '#apis/runtime/image-service.ts';
import { busyboxImage } from '#providers/local/testing/images.ts';
import { containerSpec, sandboxSpec } from '#providers/local/testing/specs.ts';

export interface EngineUnderTest {
  /** Opens the engine over the same state each time it is called: how a restart is tested. */
  open(directory: string): Promise<Engine & { cleanupAll(): Promise<void> }>;
  /** False where the ids of other users are not mapped. */
  readonly severalUsers: boolean;
  /** True where set-uid files never work. */
  readonly alwaysNoNewPrivileges: boolean;
}

const deadlineMs = 20_000;

/** An engine with a directory and an image of its own, and what the contract's tests do with it. */
export class World {
  readonly directory = mkdtempSync(join(tmpdir(), 'dm-'));
  readonly #subject: EngineUnderTest;
  #engine: (Engine & { cleanupAll(): Promise<void> }) | undefined;
  #image: LocalImage | undefined;
  #exits: { readonly id: string; readonly state: ContainerState }[] = [];
  #number = 0;

  constructor(subject: EngineUnderTest) {
    this.#subject = subject;
  }

  get engine(): Engine & { cleanupAll(): Promise<void> } {
    assert.ok(this.#engine);
    return this.#engine;
  }

  get image(): LocalImage {
    assert.ok(this.#image);
    return this.#image;
  }

  async open(): Promise<void> {
    this.#image ??= busyboxImage(join(this.directory, 'image'));
    this.#engine = await this.#subject.open(this.directory);
    this.#exits = [];
    this.#engine.onExit((id, state) => this.#exits.push({ id, state }));
    await this.#engine.list();
  }

  async close(): Promise<void> {
    await this.#engine?.cleanupAll();
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** A new sandbox; returns its id. */
  async sandbox(changes: Parameters<typeof sandboxSpec>[1] = {}): Promise<string> {
    const id = `sandbox-${++this.#number}`;
    await this.engine.createSandbox(sandboxSpec(id, changes), signal());
    return id;
  }

  log(id: string, name = 'main'): string {
    return join(this.directory, 'logs', id, `${name}.log`);
  }

  /** The log's text without times, stream names and tags. */
  output(id: string, name = 'main'): string {
    const records = readFileSync(this.log(id, name), 'utf8').split('\n').filter(Boolean);
    return records
      .map((line) => /^\S+ \S+ ([FP]) ([^]*)$/.exec(line) ?? ['', '', ''])
      .map(([, tag, rest]) => (tag === 'F' ? `${rest}\n` : rest))
      .join('');
  }

  start(id: string, args: readonly string[], changes: Partial<ContainerSpec> = {}): Promise<ContainerState> {
    return this.engine.startContainer(id, containerSpec(this.image, args, this.log(id, changes.name), changes), signal());
  }

  /** Runs a container to its end in a sandbox of its own; returns its output and state. */
  async run(args: readonly string[], changes: Partial<ContainerSpec> = {}, sandbox: Parameters<typeof sandboxSpec>[1] = {}) {
    const id = await this.sandbox(sandbox);
    await this.start(id, args, changes);
    const state = await this.ended(id);
    const output = this.output(id);
    await this.engine.removeSandbox(id);
    return { output, state };
  }

  async ended(id: string, name = 'main', attempt = 0): Promise<ContainerState> {
    return until(() => this.#exits.find((exit) => exit.id === id && exit.state.name === name && exit.state.attempt === attempt)?.state);
  }

  async exec(
    id: string,
    command: readonly string[],
    input?: string,
    tty = false,
    container = 'main',
  ): Promise<{ code: number; stdout: string; stderr: string }> {
    const [stdout, stderr, stdin] = [new PassThrough(), new PassThrough(), new PassThrough()];
    const texts = Promise.all([text(stdout), text(stderr)]);
    if (input !== undefined) stdin.end(input);
    const streams = { stdout, stderr, ...(input === undefined ? {} : { stdin }) };
    const code = await this.engine.exec(id, container, { command, tty, signal: signal(), ...streams });
    stdout.end();
    stderr.end();
    const [out, err] = await texts;
    return { code, stdout: out, stderr: err };
  }
}

/** Aborts when a step takes far too long. */
export function signal(): AbortSignal {
  return AbortSignal.timeout(deadlineMs);
}

/** The first defined value, looked for again and again. */
export function until<T>(find: () => T | Promise<T>): Promise<Exclude<T, undefined | false>> {
  return askUntil(find.toString(), find, { timeoutMs: deadlineMs });
}
