import type { SandboxSpec, SandboxState } from '#apis/runtime/engine.ts';
import type { Host } from '#providers/local/host.ts';
import { NotFoundError } from '#providers/local/errors.ts';
import type { ContainerRun } from '#providers/local/container/container-run.ts';
import { containerState } from '#providers/local/container/record.ts';
import { dialTemplate } from '#providers/local/rootless/pod-forwarders.ts';
import type { SlotRecord } from '#providers/local/state.ts';

/** A pod's sandbox: a slot somebody uses, and the latest run of each of its containers. */
export class Sandbox {
  readonly spec: SandboxSpec;
  readonly slot: SlotRecord;
  readonly #host: Host;
  readonly #runs = new Map<string, ContainerRun>();

  constructor(host: Host, slot: SlotRecord, spec: SandboxSpec) {
    this.#host = host;
    this.slot = slot;
    this.spec = spec;
  }

  get runs(): readonly ContainerRun[] {
    return [...this.#runs.values()];
  }

  find(name: string): ContainerRun | undefined {
    return this.#runs.get(name);
  }

  /** The container's running run. */
  running(name: string): ContainerRun {
    const run = this.#runs.get(name);
    if (run === undefined) throw new NotFoundError(`container ${name} of pod ${this.spec.namespace}/${this.spec.name}`);
    if (run.record.ended !== undefined)
      throw new NotFoundError(`running container ${name} of pod ${this.spec.namespace}/${this.spec.name}`);
    return run;
  }

  /** Takes a run in place of the container's earlier one and writes it down. */
  put(run: ContainerRun): void {
    this.#runs.set(run.record.name, run);
    this.save();
  }

  save(): void {
    this.#host.slots.save({ ...this.slot, spec: this.spec, containers: this.runs.map((run) => run.record) });
  }

  state(): SandboxState {
    const { id, namespace, name } = this.spec;
    return {
      id,
      namespace,
      name,
      ip: this.slot.ip,
      ...(this.#host.inUserNamespace && !this.slot.hostNetwork ? { dial: dialTemplate(this.#host, this.slot) } : {}),
      frozen: this.#host.cgroups.isFrozen(this.slot.slot),
      containers: this.runs.map((run) => containerState(run.record)),
    };
  }
}
