import type { ContainerFiles } from '#providers/local/container/files.ts';
import type { StartPlan } from '#providers/local/container/start-plan.ts';
import type { Program } from '#providers/local/machine/program.ts';

export type RuntimeName = 'runc' | 'crun' | 'namespaces' | 'bwrap';

/** Path of the init's program as its command line shows it, and its process id. */
export interface InitIdentity {
  readonly program: string;
  readonly pid: number;
}

/** A way to start a container's processes. */
export interface Runtime {
  readonly name: RuntimeName;
  /** Whether it keeps containers from device files by a device control group. */
  readonly limitsDevices: boolean;
  /** Whether no process gains privileges by a file's set-uid bit, whatever the pod says. */
  readonly alwaysNoNewPrivileges: boolean;
  /** The launcher program that starts the container and stays as its monitor. May write files below `files.directory`. */
  program(plan: StartPlan, files: ContainerFiles): Program;
  /** Who the container's init is, after a successful start in which the program sent `notes`. Throws when there is none. */
  init(files: ContainerFiles, notes: ReadonlyMap<number, number>): InitIdentity;
  /** Called when a run has ended or has not come about: removes what the runtime keeps elsewhere. */
  forget(files: ContainerFiles): Promise<void>;
  /** Why a launch failed, in the runtime's own words, if it said something. */
  complaint(files: ContainerFiles): string;
}
