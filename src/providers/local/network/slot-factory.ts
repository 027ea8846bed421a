import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Host } from '#providers/local/host.ts';
import type { Bridge } from '#providers/local/network/bridge.ts';
import { AddressPool } from '#providers/local/network/cidr.ts';
import { interfaceIndex } from '#providers/local/network/interfaces.ts';
import { holderProgram, podInitNote } from '#providers/local/network/sandbox-program.ts';
import { isLaunched, send } from '#providers/local/processes.ts';
import type { SlotRecord } from '#providers/local/state.ts';

export interface SlotKind {
  readonly hostNetwork: boolean;
  readonly shareProcessNamespace: boolean;
}

const removalDeadlineMs = 5000;

/** Makes and removes slots: the namespaces, address and control group of a pod, before anybody knows which pod. */
export class SlotFactory {
  readonly #host: Host;
  readonly #bridge: Bridge | undefined;
  readonly #addresses: AddressPool | undefined;

  constructor(host: Host, bridge: Bridge | undefined, existing: readonly SlotRecord[]) {
    this.#host = host;
    this.#bridge = bridge;
    const taken = existing.map((record) => record.ip).filter((ip) => ip !== '');
    this.#addresses = bridge === undefined ? undefined : new AddressPool(bridge, taken);
  }

  async create(kind: SlotKind): Promise<SlotRecord> {
    const { slots, launcher, cgroups } = this.#host;
    const slot = randomBytes(3).toString('hex');
    const hostInterface = `dm${this.#host.short.slice(0, 6)}${slot}`;
    const directory = slots.directoryOf(slot);
    const bridge = kind.hostNetwork ? undefined : this.#bridge;
    const ip = bridge === undefined ? '' : (this.#addresses?.take() ?? '');
    mkdirSync(directory, { mode: 0o700 });
    try {
      const program = holderProgram({
        architecture: launcher.architecture,
        ...(bridge === undefined ? {} : { network: { bridge, ip, hostInterface } }),
        shareProcessNamespace: kind.shareProcessNamespace,
      });
      const { pid, notes } = await launcher.run(program, holderPath(directory));
      cgroups.create(slot);
      const podInitPid = notes.get(podInitNote);
      const record: SlotRecord = {
        slot,
        ip,
        hostInterface: bridge === undefined ? '' : hostInterface,
        hostNetwork: kind.hostNetwork,
        shareProcessNamespace: kind.shareProcessNamespace,
        holderPid: pid,
        ...(podInitPid === undefined ? {} : { podInitPid }),
        containers: [],
      };
      slots.save(record);
      return record;
    } catch (error) {
      this.#host.killLaunched(directory);
      if (ip !== '') this.#addresses?.release(ip);
      await this.#host.removeFiles(slot);
      throw error;
    }
  }

  /** Whether the slot's namespaces still exist. */
  isWhole(record: SlotRecord): boolean {
    return isLaunched(record.holderPid, holderPath(this.#host.slots.directoryOf(record.slot)));
  }

  /** Kills everything of the slot and removes every trace; resolves when the kernel has let go of interface and groups. */
  async remove(record: SlotRecord): Promise<void> {
    const { slots, cgroups } = this.#host;
    const directory = slots.directoryOf(record.slot);
    cgroups.killAll(record.slot);
    if (cgroups.canFreeze) killFrozen(this.#host, record.slot);
    if (record.podInitPid !== undefined && this.isWhole(record)) send(record.podInitPid, 'SIGKILL');
    this.#host.killLaunched(directory);
    this.#host.killInits(record.slot);
    await this.#gone(record);
    await cgroups.remove(record.slot);
    if (record.ip !== '') this.#addresses?.release(record.ip);
    await this.#host.removeFiles(record.slot);
  }

  async #gone(record: SlotRecord): Promise<void> {
    if (record.hostInterface === '') return;
    const deadline = performance.now() + removalDeadlineMs;
    const isThere = () => interfaceIndex(record.hostInterface, this.#host.interfacesDirectory) !== undefined;
    while (isThere() && performance.now() < deadline) await delay(2);
  }
}

/** A frozen process cannot die before it is thawed (version 1); it dies then without running on. */
function killFrozen(host: Host, slot: string): void {
  host.killLaunched(host.slots.directoryOf(slot));
  try {
    host.cgroups.thaw(slot);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

function holderPath(directory: string): string {
  return join(directory, 'holder.program');
}
