import type { Host } from '#providers/local/host.ts';
import type { SlotFactory } from '#providers/local/network/slot-factory.ts';
import { namespacesRuntime } from '#providers/local/runtimes/namespaces.ts';
import type { Runtime, RuntimeName } from '#providers/local/runtimes/runtime.ts';

export interface ChosenRuntime {
  readonly runtime: Runtime;
  readonly remarks: readonly string[];
}

export async function chooseRuntime(host: Host, _factory: SlotFactory, _wanted: 'auto' | RuntimeName): Promise<ChosenRuntime> {
  return { runtime: namespacesRuntime(host), remarks: [] };
}
