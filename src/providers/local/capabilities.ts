import type { EngineCapabilities } from '#apis/runtime/engine.ts';
import type { LocalEngineParts } from '#providers/local/local-engine.ts';

/** What this machine gives, in words for `dormouse status`. */
export function describeCapabilities(parts: LocalEngineParts): EngineCapabilities {
  const { host, bridge, runtime } = parts;
  const { limits, canFreeze } = host.cgroups;
  const missing = Object.entries(limits).filter(([, available]) => !available);
  const remarks = [
    ...parts.remarks,
    ...(bridge?.noOutbound === undefined ? [] : [bridge.noOutbound]),
    ...(missing.length === 0 ? [] : [`no ${missing.map(([name]) => name).join(', ')} limits: ${limitRemedy(host.inUserNamespace)}`]),
  ];
  return {
    runtime: runtime.name,
    rootless: host.inUserNamespace,
    isolation: isolation(runtime.name, host.inUserNamespace),
    limits,
    freeze: canFreeze,
    remarks,
    ...(bridge === undefined ? {} : { podNetwork: { bridgeIp: bridge.bridgeIp, cidr: bridge.cidr, interfaceName: bridge.interfaceName } }),
  };
}

function limitRemedy(rootless: boolean): string {
  return rootless
    ? 'the system delegates no control group to this user; start the platform in a systemd user session with Delegate=yes, or as root'
    : 'no writable control groups found; mount them at /sys/fs/cgroup';
}

function isolation(runtime: string, rootless: boolean): string {
  const kernel = 'own process, mount, network, IPC and host name namespaces, few capabilities, default seccomp filter, masked kernel files';
  const who = rootless ? "the containers' root is this ordinary user outside" : "the containers' root is the machine's root";
  return `containers by ${runtime === 'namespaces' ? "Linux namespaces (the platform's own launcher)" : runtime}: ${kernel}; ${who}`;
}
