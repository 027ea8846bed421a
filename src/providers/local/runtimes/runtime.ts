import type { ContainerFiles } from '#providers/local/container/files.ts';
import type { StartPlan } from '#providers/local/container/start-plan.ts';
import type { Program } from '#providers/local/machine/program.ts';

export type RuntimeName = 'runc' | 'crun' | 'namespaces';

/** Path of the init's program as its command line shows it, and its process id where the launcher does not report it. */
export interface InitIdentity {
  readonly program: string;
  readonly pid?: number;
}

/** A way to start a container's processes. */
export interface Runtime {
  readonly name: RuntimeName;
  /** The launcher program that starts the container and stays as its monitor. May write files below `files.directory`. */
  program(plan: StartPlan, files: ContainerFiles): Program;
  /** Who the container's init is, after a successful start. */
  init(files: ContainerFiles): InitIdentity;
  /** Called when a run has ended or has not come about: removes what the runtime keeps elsewhere. */
  forget(files: ContainerFiles): Promise<void>;
  /** Why a launch failed, in the runtime's own words, if it said something. */
  complaint(files: ContainerFiles): string;
}
