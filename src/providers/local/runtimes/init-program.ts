import { basename } from 'node:path';
import type { ContainerFiles } from '#providers/local/container/files.ts';

/** Where the launcher lies in a container whose init a foreign runtime executes. */
export const initPath = '/dev/init';

/** What the programs of containers' inits are called, inside and so on the machine; `<slot>.<container>.<attempt>` follows. */
export const initProgramPrefix = `${initPath}.`;

/** `<slot>.<container>.<attempt>`. */
export function containerId(files: ContainerFiles): string {
  return basename(files.exit);
}

/** Path of the init's program inside the container. */
export function initProgramPath(files: ContainerFiles): string {
  return `${initProgramPrefix}${containerId(files)}`;
}
