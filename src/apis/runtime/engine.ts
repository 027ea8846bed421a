import type { Readable, Writable } from 'node:stream';
import type { LocalImage } from '#apis/runtime/image-service.ts';

/**
 * Runs containers in pod sandboxes on one machine: what CRI is to a kubelet. The node agent's pod runner stands on it;
 * providers/local implements it (docker and CRI later). Knows nothing of the Kubernetes API.
 * Everything survives the agent's death: after a restart `list` reports what still runs and what has ended meanwhile.
 */
export interface Engine extends AsyncDisposable {
  readonly capabilities: EngineCapabilities;
  /** Sandboxes and containers that exist now, for re-adoption. */
  list(): Promise<readonly SandboxState[]>;
  /** Network, hostname and cgroup of a pod. Idempotent by `id`. */
  createSandbox(spec: SandboxSpec, signal: AbortSignal): Promise<SandboxState>;
  /** Kills what is left and removes every trace: processes, mounts, namespaces, addresses, cgroups. Idempotent. */
  removeSandbox(id: string): Promise<void>;
  /** Starts a container; resolves when its process has been started. A container name may be started again after it ended. */
  startContainer(sandboxId: string, spec: ContainerSpec, signal: AbortSignal): Promise<ContainerState>;
  /** Sends a signal to the container's process (all of its processes for SIGKILL). Nothing happens when it has ended. */
  signalContainer(sandboxId: string, name: string, signal: string): Promise<void>;
  /** Called on every container exit, also those that happened while the agent was away (once `list` has been called). */
  onExit(listener: (sandboxId: string, state: ContainerState) => void): () => void;
  /** Runs a command inside a running container. Resolves with its exit code. */
  exec(sandboxId: string, name: string, spec: ExecSpec): Promise<number>;
  /** Connects to the container's own stdin/stdout/stderr; resolves when the container ends or the signal aborts. */
  attach(sandboxId: string, name: string, spec: StreamIo): Promise<void>;
  /** A byte stream to a TCP port inside the pod (its 127.0.0.1). */
  dial(sandboxId: string, port: number, signal: AbortSignal): Promise<{ readable: Readable; writable: Writable; destroy(): void }>;
  stats(sandboxId: string): Promise<SandboxStats>;
  /** What containers have written into their own file systems. */
  diskUsage(sandboxId: string): Promise<readonly { readonly name: string; readonly usedBytes: number }[]>;
  freeze?(sandboxId: string): Promise<void>;
  thaw?(sandboxId: string): Promise<void>;
}

export interface EngineCapabilities {
  /** `runc`, `crun`, `namespaces`, `bwrap`. */
  readonly runtime: string;
  readonly rootless: boolean;
  /** One plain sentence for `dormouse status`: what separates containers here. */
  readonly isolation: string;
  readonly limits: { readonly cpu: boolean; readonly memory: boolean; readonly pids: boolean };
  readonly freeze: boolean;
  /** What is missing and how to get it. */
  readonly remarks: readonly string[];
  /** Host side of the pod network (bridge address), or undefined when pods use the host's network. */
  readonly podNetwork?: { readonly bridgeIp: string; readonly cidr: string; readonly interfaceName: string };
}

export interface SandboxSpec {
  /** Unique and stable: the pod's uid. */
  readonly id: string;
  readonly namespace: string;
  readonly name: string;
  readonly hostname: string;
  readonly hostNetwork: boolean;
  readonly dns: { readonly nameservers: readonly string[]; readonly searches: readonly string[]; readonly options: readonly string[] };
  /** Extra lines of /etc/hosts. */
  readonly hostAliases: readonly { readonly ip: string; readonly hostnames: readonly string[] }[];
  readonly sysctls: Readonly<Record<string, string>>;
  readonly shareProcessNamespace: boolean;
  /** Its containers live among the machine's processes. */
  readonly hostProcesses?: boolean;
  /** TCP ports its containers declare: engines whose pods cannot be reached by address make these reachable (`SandboxState.dial`). */
  readonly ports?: readonly number[];
}

export interface ContainerSpec {
  readonly name: string;
  /** Counts restarts; part of the log's file name. */
  readonly attempt: number;
  readonly image: LocalImage;
  /** The whole argument vector (entrypoint and arguments, resolved). */
  readonly arguments: readonly string[];
  /** `KEY=value`, complete. */
  readonly environment: readonly string[];
  readonly workingDirectory: string;
  readonly mounts: readonly Mount[];
  /** A running container of the sandbox whose processes it sees and lives among; it ends with that one. */
  readonly processesOf?: string;
  readonly user: {
    readonly uid?: number;
    readonly gid?: number;
    readonly supplementalGroups: readonly number[];
    readonly fromImage: string;
  };
  readonly resources: ContainerResources;
  readonly security: {
    readonly privileged: boolean;
    readonly readOnlyRootFilesystem: boolean;
    readonly allowPrivilegeEscalation: boolean;
    readonly addCapabilities: readonly string[];
    readonly dropCapabilities: readonly string[];
    readonly seccomp: 'RuntimeDefault' | 'Unconfined' | { readonly localhostProfile: string };
  };
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  /** File that receives the container's output in CRI log format (`<RFC3339Nano> stdout F text`), rotated by the engine. */
  readonly logPath: string;
  /** Host file bound to the container's terminationMessagePath. */
  readonly terminationMessage: { readonly hostPath: string; readonly containerPath: string };
}

export interface Mount {
  readonly hostPath: string;
  readonly containerPath: string;
  readonly readOnly: boolean;
}

export interface ContainerResources {
  /** Thousandths of a CPU. */
  readonly cpuRequestMillis?: number;
  readonly cpuLimitMillis?: number;
  readonly memoryRequestBytes?: number;
  readonly memoryLimitBytes?: number;
  readonly pidsLimit?: number;
}

export interface ContainerState {
  readonly name: string;
  readonly attempt: number;
  readonly status: 'created' | 'running' | 'exited';
  /** `dormouse://<opaque>`, for containerID. */
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly startedAtMs?: number;
  readonly finishedAtMs?: number;
  readonly exitCode?: number;
  readonly signal?: number;
  readonly oomKilled?: boolean;
}

export interface SandboxState {
  readonly id: string;
  readonly namespace: string;
  readonly name: string;
  readonly ip: string;
  /**
   * How to reach the pod from the host when its IP is not reachable: `unix:<path>`, where `{port}` stands for the port's number; see the
   * annotation node.dormouse.dev/dial.
   */
  readonly dial?: string;
  readonly frozen: boolean;
  readonly containers: readonly ContainerState[];
}

export interface ExecSpec extends StreamIo {
  readonly command: readonly string[];
}

/** The streams of a command, or of a container that is attached to. */
export interface StreamIo {
  readonly tty: boolean;
  readonly stdin?: Readable;
  readonly stdout?: Writable;
  readonly stderr?: Writable;
  /** Calls back with every terminal size. */
  readonly resize?: (listener: (size: { width: number; height: number }) => void) => void;
  readonly signal: AbortSignal;
}

export interface SandboxStats {
  readonly timestampMs: number;
  readonly containers: readonly {
    readonly name: string;
    readonly cpuUsageNanos: number;
    readonly memoryWorkingSetBytes: number;
    readonly memoryUsageBytes: number;
    readonly pids: number;
  }[];
}
