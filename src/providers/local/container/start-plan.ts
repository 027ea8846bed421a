import { randomBytes } from 'node:crypto';
import { mkdirSync, realpathSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ContainerSpec, SandboxSpec } from '#apis/runtime/engine.ts';
import type { Host } from '#providers/local/host.ts';
import { resolveIdentity } from '#providers/local/container/identity.ts';
import { capabilityMask, containerCapabilities, type PrivilegeOptions } from '#providers/local/container/privileges.ts';
import { defaultPath } from '#providers/local/container/process-steps.ts';
import { prepareUpperLayer } from '#providers/local/container/sandbox-files.ts';
import type { ResolvedMount, RootOptions } from '#providers/local/container/root-steps.ts';
import { defaultFilter } from '#providers/local/seccomp/filter.ts';
import type { Runtime } from '#providers/local/runtimes/runtime.ts';
import type { SlotRecord } from '#providers/local/state.ts';

/** Whose processes a container lives among: its own alone, the machine's, or those of the namespace that this process is in. */
export type ProcessNamespace = 'own' | 'machine' | number;

/** Everything decided about a container's run before its runtime is asked to start it. */
export interface StartPlan {
  readonly spec: ContainerSpec;
  readonly sandbox: SandboxSpec;
  readonly slot: SlotRecord;
  readonly processes: ProcessNamespace;
  readonly root: RootOptions;
  readonly privileges: PrivilegeOptions;
  readonly capabilityNames: readonly string[];
  readonly environment: readonly string[];
  readonly workingDirectory: string;
  readonly cgroup: string;
}

/** A mount's source does not exist or cannot be used. */
class MountSourceError extends Error {
  constructor(path: string, cause: unknown) {
    super(`failed to prepare mount: ${path} cannot be used as the source of a mount`, { cause });
    this.name = 'MountSourceError';
  }
}

type RuntimeTraits = Pick<Runtime, 'limitsDevices' | 'alwaysNoNewPrivileges'>;

/** Bytes of overlay options that fit one page with room to spare. */
const longestLowerOption = 2500;
const mknodBit = 1n << 27n;

/**
 * Decides and prepares: ids, capabilities, environment, mounts, the writable layer's directories. Without a device control group CAP_MKNOD is kept away.
 */
export function planStart(
  host: Host,
  slot: SlotRecord,
  sandbox: SandboxSpec,
  spec: ContainerSpec,
  runtime: RuntimeTraits,
  processes: ProcessNamespace,
): StartPlan {
  const { security } = spec;
  const identity = mapped(host, resolveIdentity(spec.user, spec.image.layers));
  const available = !runtime.limitsDevices && !security.privileged ? host.capabilities & ~mknodBit : host.capabilities;
  const capabilityNames = containerCapabilities(security, available);
  const filtered = security.seccomp !== 'Unconfined' && !security.privileged;
  const directory = join(host.layersOf(slot.slot), `${spec.name}.${spec.attempt}`);
  return {
    spec,
    sandbox,
    slot,
    processes,
    root: {
      overlay: prepareOverlay(host, directory, spec, sandbox, slot.ip),
      mounts: resolveMounts(spec),
      readOnlyRoot: security.readOnlyRootFilesystem,
      privileged: security.privileged,
      hostProcesses: processes === 'machine' && host.inUserNamespace,
      sysctls: sandbox.sysctls,
      cgroups: host.cgroups.views(),
      secret: randomBytes(16).toString('hex'),
      terminalGroup: host.inUserNamespace ? undefined : 5,
    },
    privileges: {
      identity,
      capabilities: capabilityMask(capabilityNames),
      available: host.capabilities,
      noNewPrivileges: runtime.alwaysNoNewPrivileges || (!security.allowPrivilegeEscalation && !security.privileged),
      seccomp: filtered ? defaultFilter(host.launcher.architecture, capabilityNames) : undefined,
      canSetGroups: host.canSetGroups,
    },
    capabilityNames,
    environment: completeEnvironment(spec.environment, identity.home, sandbox.hostname),
    workingDirectory: spec.workingDirectory === '' ? '/' : spec.workingDirectory,
    cgroup: `${slot.slot}/${spec.name}.${spec.attempt}`,
  };
}

/** Where only one id is mapped, that id is everybody. */
function mapped(host: Host, identity: ReturnType<typeof resolveIdentity>): ReturnType<typeof resolveIdentity> {
  const known = (id: number) => host.isMapped(id);
  return {
    ...identity,
    uid: known(identity.uid) ? identity.uid : 0,
    gid: known(identity.gid) ? identity.gid : 0,
    groups: identity.groups.filter(known),
  };
}

function prepareOverlay(host: Host, directory: string, spec: ContainerSpec, sandbox: SandboxSpec, ip: string): RootOptions['overlay'] {
  rmSync(directory, { recursive: true, force: true });
  const [upper, work, target] = ['upper', 'work', 'root'].map((name) => join(directory, name)) as [string, string, string];
  for (const path of [upper, work, target]) mkdirSync(path, { recursive: true, mode: 0o755 });
  prepareUpperLayer(upper, sandbox, ip);
  return { lowerdirs: shortened(spec.image.layers, directory), upper, work, target, userAttributes: host.inUserNamespace };
}

/** Many layers with long paths would not fit mount(2)'s page of options; symbolic links with short names do. */
function shortened(layers: readonly string[], directory: string): readonly string[] {
  if (layers.join(':').length <= longestLowerOption) return layers;
  return layers.map((layer, index) => {
    const link = join(directory, String(index));
    symlinkSync(layer, link);
    return link;
  });
}

function resolveMounts(spec: ContainerSpec): readonly ResolvedMount[] {
  const { hostPath, containerPath } = spec.terminationMessage;
  if (hostPath !== '' && statSync(hostPath, { throwIfNoEntry: false }) === undefined) {
    mkdirSync(dirname(hostPath), { recursive: true });
    writeFileSync(hostPath, '', { mode: 0o666 });
  }
  const last = hostPath === '' ? [] : [{ hostPath, containerPath, readOnly: false }];
  return [...spec.mounts, ...last].map((mount) => {
    try {
      const source = realpathSync(mount.hostPath);
      return { ...mount, hostPath: source, isDirectory: statSync(source).isDirectory() };
    } catch (error) {
      throw new MountSourceError(mount.hostPath, error);
    }
  });
}

/** What every container's environment has unless it is given: PATH, HOME, HOSTNAME. */
function completeEnvironment(environment: readonly string[], home: string, hostname: string): readonly string[] {
  const defaults = { PATH: defaultPath, HOSTNAME: hostname, HOME: home };
  const missing = Object.entries(defaults).filter(([name]) => !environment.some((entry) => entry.startsWith(`${name}=`)));
  return [...missing.map(([name, value]) => `${name}=${value}`), ...environment];
}
