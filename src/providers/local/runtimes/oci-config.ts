import type { Mount } from '#apis/runtime/engine.ts';
import { cpuQuotaMicros, cpuShares } from '#providers/local/cgroups/limits.ts';
import { maskedPaths, readOnlyPaths } from '#providers/local/container/root-steps.ts';
import type { StartPlan } from '#providers/local/container/start-plan.ts';
import { ociProfile } from '#providers/local/seccomp/oci.ts';

export interface OciConfigOptions {
  readonly plan: StartPlan;
  /** Absolute; undefined: no control groups. */
  readonly cgroupsPath: string | undefined;
  /** The vector of the container's init. */
  readonly arguments: readonly string[];
  /** Host files that init needs, bound into the container. */
  readonly initMounts: readonly Mount[];
}

/** The `config.json` of a bundle (OCI runtime specification 1.0). */
export function ociConfig(options: OciConfigOptions): object {
  const { plan } = options;
  const { spec, sandbox, privileges } = plan;
  const prefixed = plan.capabilityNames.map((name) => `CAP_${name}`);
  const held = privileges.identity.uid === 0 ? prefixed : [];
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      user: { uid: privileges.identity.uid, gid: privileges.identity.gid, additionalGids: privileges.identity.groups },
      args: options.arguments,
      env: plan.environment,
      cwd: plan.workingDirectory,
      capabilities: { bounding: prefixed, effective: held, permitted: held, inheritable: [], ambient: [] },
      noNewPrivileges: privileges.noNewPrivileges,
    },
    root: { path: plan.root.overlay.target, readonly: plan.root.readOnlyRoot },
    hostname: sandbox.hostname,
    mounts: mounts(options),
    linux: {
      namespaces: ociNamespaces(plan),
      ...(options.cgroupsPath === undefined ? {} : { cgroupsPath: options.cgroupsPath }),
      resources: resources(plan),
      sysctl: sandbox.sysctls,
      ...(spec.security.privileged ? {} : { maskedPaths, readonlyPaths: readOnlyPaths }),
      ...(privileges.seccomp === undefined ? {} : { seccomp: ociProfile(plan.capabilityNames) }),
    },
  };
}

function ociNamespaces({ slot, processes }: StartPlan): readonly object[] {
  const of = (type: string, file: string, pid = slot.holderPid) => ({ type, path: `/proc/${pid}/ns/${file}` });
  return [
    { type: 'mount' },
    ...(processes === 'machine' ? [] : [processes === 'own' ? { type: 'pid' } : of('pid', 'pid', processes)]),
    { type: 'cgroup' },
    of('ipc', 'ipc'),
    of('uts', 'uts'),
    ...(slot.hostNetwork ? [] : [of('network', 'net')]),
  ];
}

function mounts({ plan, initMounts, cgroupsPath }: OciConfigOptions): readonly object[] {
  const quiet = ['nosuid', 'noexec', 'nodev'];
  const access = plan.spec.security.privileged ? 'rw' : 'ro';
  const mount = (destination: string, type: string, options: readonly string[]) => ({ destination, type, source: type, options });
  const bind = ({ hostPath, containerPath, readOnly }: Mount) => ({
    destination: containerPath,
    type: 'bind',
    source: hostPath,
    options: ['rbind', 'rprivate', readOnly ? 'ro' : 'rw'],
  });
  return [
    mount('/proc', 'proc', quiet),
    mount('/dev', 'tmpfs', ['nosuid', 'strictatime', 'mode=755', 'size=65536k']),
    mount('/dev/pts', 'devpts', ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5']),
    mount('/dev/shm', 'tmpfs', [...quiet, 'mode=1777', 'size=65536k']),
    mount('/dev/mqueue', 'mqueue', quiet),
    mount('/sys', 'sysfs', [...quiet, access]),
    ...(cgroupsPath === undefined ? [] : [mount('/sys/fs/cgroup', 'cgroup', [...quiet, 'relatime', access])]),
    ...initMounts.map(bind),
    ...plan.root.mounts.map(bind),
  ];
}

function resources({ spec }: StartPlan): object {
  const { memoryLimitBytes, pidsLimit } = spec.resources;
  const quota = cpuQuotaMicros(spec.resources);
  return {
    devices: [{ allow: spec.security.privileged, access: 'rwm' }],
    cpu: { shares: cpuShares(spec.resources), ...(quota === undefined ? {} : { quota, period: 100_000 }) },
    ...(memoryLimitBytes === undefined ? {} : { memory: { limit: memoryLimitBytes, swap: memoryLimitBytes } }),
    ...(pidsLimit === undefined ? {} : { pids: { limit: pidsLimit } }),
  };
}
