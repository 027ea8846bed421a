import type { Engine } from '#apis/runtime/engine.ts';
import { Host, type HostOptions } from '#providers/local/host.ts';
import { LocalEngine } from '#providers/local/local-engine.ts';
import { closeBridge, openBridge } from '#providers/local/network/bridge.ts';
import { isInUserNamespace } from '#providers/local/rootless/enter.ts';
import { SlotFactory } from '#providers/local/network/slot-factory.ts';
import { chooseRuntime } from '#providers/local/runtimes/choose.ts';
import type { RuntimeName } from '#providers/local/runtimes/runtime.ts';

export type { RuntimeName };
import type { SlotRecord } from '#providers/local/state.ts';

export interface LocalEngineOptions extends HostOptions {
  /** `auto` (default): the safest runtime that really works here. */
  readonly runtime?: 'auto' | RuntimeName;
  /** Sandboxes kept ready; default 4. */
  readonly prepared?: number;
}

/** The engine of this machine's own containers. */
export interface LocalContainerEngine extends Engine {
  /** Ends everything the platform runs here and removes every trace of it from the machine. The engine is closed afterwards. */
  cleanupAll(): Promise<void>;
  /** Resolves when the stock of prepared sandboxes is full. */
  prepared(): Promise<void>;
}

export { enterUserNamespace, isInUserNamespace, leaveUserNamespace, type UserNamespaceEntry } from '#providers/local/rootless/enter.ts';

/** Opens the engine: finds out what this machine can do, makes the pod network, takes over what an earlier process left running. */
export async function createLocalEngine(options: LocalEngineOptions): Promise<LocalContainerEngine> {
  const host = new Host(options);
  const bridge = await openBridge(host, isInUserNamespace());
  const records = await existingSlots(host);
  const factory = new SlotFactory(host, bridge, records);
  const { runtime, remarks } = await chooseRuntime(host, factory, options.runtime ?? 'auto');
  return LocalEngine.open({ host, bridge, factory, runtime, records, remarks, prepared: options.prepared ?? 4 });
}

/** Removes everything the platform of this id left on the machine, without an engine: `dormouse reset`, and before a first start. */
export async function cleanupLocalEngine(options: HostOptions): Promise<void> {
  const host = new Host(options);
  const records = await existingSlots(host);
  const factory = new SlotFactory(host, undefined, []);
  for (const record of records) await factory.remove(record);
  host.killLaunched(host.runDir);
  await host.cgroups.remove('');
  await closeBridge(host);
  await host.removeAllFiles();
}

/** Slots with a readable record; what was cut off while being made is removed. */
async function existingSlots(host: Host): Promise<readonly SlotRecord[]> {
  const records: SlotRecord[] = [];
  for (const name of host.slots.names()) {
    const record = host.slots.load(name);
    if (record !== undefined) records.push(record);
    else {
      host.killLaunched(host.slots.directoryOf(name));
      await host.cgroups.remove(name);
      await host.removeFiles(name);
    }
  }
  return records;
}
