import type { ContainerState } from '#apis/runtime/engine.ts';
import type { PrivilegeOptions } from '#providers/local/container/privileges.ts';
import type { ExitRecord } from '#providers/local/container/files.ts';

/** What is kept of a container's run, as JSON: enough to adopt it and to run commands in it. */
export interface ContainerRecord {
  readonly name: string;
  readonly attempt: number;
  readonly id: string;
  readonly startedAtMs: number;
  readonly monitorPid: number;
  readonly initPid: number;
  /** Path of init's program as its command line shows it: tells whether the process id still means it. */
  readonly initProgram: string;
  readonly stdinHolderPid?: number;
  readonly environment: readonly string[];
  readonly workingDirectory: string;
  readonly privileges: StoredPrivileges;
  readonly logPath: string;
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  /** Not alone in its process namespace: its init's end does not end its other processes. */
  readonly livesAmongOthers?: boolean;
  readonly ended?: ExitRecord & { readonly oomKilled: boolean };
}

export interface StoredPrivileges {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  readonly capabilities: string;
  readonly noNewPrivileges: boolean;
  readonly seccomp: boolean;
}

export function storedPrivileges(options: PrivilegeOptions): StoredPrivileges {
  const { identity, capabilities, noNewPrivileges, seccomp } = options;
  return {
    uid: identity.uid,
    gid: identity.gid,
    groups: identity.groups,
    capabilities: capabilities.toString(16),
    noNewPrivileges,
    seccomp: seccomp !== undefined,
  };
}

export function containerState(record: ContainerRecord): ContainerState {
  const { name, attempt, id, startedAtMs, ended } = record;
  if (ended === undefined) return { name, attempt, id, startedAtMs, status: 'running' };
  return {
    name,
    attempt,
    id,
    startedAtMs,
    status: 'exited',
    finishedAtMs: ended.finishedAtMs,
    exitCode: ended.exitCode,
    ...(ended.signal === undefined ? {} : { signal: ended.signal }),
    oomKilled: ended.oomKilled,
  };
}
