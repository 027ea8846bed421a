import type { Layout } from '#platform/layout.ts';
import type { Ports } from '#platform/ports.ts';
import type { PlatformSettings } from '#platform/settings.ts';

export const roles = ['control', 'gateway', 'node'] as const;
export type Role = (typeof roles)[number];

/** What the supervisor hands to each of its processes: plain data, no secrets (those are files in the data directory). */
export interface ProcessConfig {
  readonly role: Role;
  readonly version: string;
  readonly settings: PlatformSettings;
  readonly layout: Layout;
  readonly ports: Ports;
}

/** Environment variable that carries the ProcessConfig as JSON. */
export const configVariable = 'DORMOUSE_PROCESS';

/** Supervisor → process. */
export type ToProcess =
  /** Its `stop` will come when it is its turn: a SIGTERM that reached the whole process group is not for it. */
  | { readonly type: 'stopping' }
  | {
      readonly type: 'stop';
      /** Remove what outlives the process: containers, mounts, namespaces. */
      readonly cleanUp: boolean;
    };
/** Process → supervisor. */
export type FromProcess =
  | { readonly type: 'ready'; readonly details: Readonly<Record<string, unknown>> }
  | {
      readonly type: 'failed';
      readonly message: string;
      readonly hint?: string;
      /** Something else listens on a port of its own. */
      readonly portTaken: boolean;
    };

/** First line of a process to the supervisor's socket. A socket, not an inherited channel: a process may execute itself anew. */
export interface ProcessHello {
  readonly command: 'attach';
  readonly role: Role;
  readonly pid: number;
}
