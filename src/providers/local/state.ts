import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SandboxSpec } from '#apis/runtime/engine.ts';
import type { ContainerRecord } from '#providers/local/container/record.ts';

/**
 * What the engine must know of a sandbox after a restart. A slot is made before anybody needs it (namespaces, address) and gets a `spec`
 * when a pod takes it.
 */
export interface SlotRecord {
  /** Short random name; part of interface, control group and directory names. */
  readonly slot: string;
  /** '' on the host's network. */
  readonly ip: string;
  readonly hostInterface: string;
  readonly hostNetwork: boolean;
  readonly shareProcessNamespace: boolean;
  readonly holderPid: number;
  readonly podInitPid?: number;
  readonly spec?: SandboxSpec;
  /** The latest run of every container. */
  readonly containers: readonly ContainerRecord[];
}

const fileName = 'state.json';

/** One small JSON file a slot, replaced atomically. */
export class SlotStore {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  }

  directoryOf(slot: string): string {
    return join(this.#directory, slot);
  }

  save(record: SlotRecord): void {
    const path = join(this.directoryOf(record.slot), fileName);
    writeFileSync(`${path}.new`, JSON.stringify(record));
    renameSync(`${path}.new`, path);
  }

  /** Names of all slot directories, also of those whose making was cut off. */
  names(): readonly string[] {
    return readdirSync(this.#directory);
  }

  load(slot: string): SlotRecord | undefined {
    const path = join(this.directoryOf(slot), fileName);
    if (!existsSync(path)) return undefined;
    try {
      return JSON.parse(readFileSync(path, 'utf8')) as SlotRecord;
    } catch {
      return undefined;
    }
  }
}
