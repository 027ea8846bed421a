import type { ContainerSpec, SandboxSpec } from '#apis/runtime/engine.ts';
import type { LocalImage } from '#apis/runtime/image-service.ts';

export function sandboxSpec(id: string, changes: Partial<SandboxSpec> = {}): SandboxSpec {
  return {
    id,
    namespace: 'default',
    name: `pod-${id}`,
    hostname: `pod-${id}`,
    hostNetwork: false,
    dns: { nameservers: ['10.0.0.10'], searches: ['default.svc.cluster.local'], options: ['ndots:5'] },
    hostAliases: [],
    sysctls: {},
    shareProcessNamespace: false,
    ...changes,
  };
}

export function containerSpec(
  image: LocalImage,
  args: readonly string[],
  logPath: string,
  changes: Partial<ContainerSpec> = {},
): ContainerSpec {
  return {
    name: 'main',
    attempt: 0,
    image,
    arguments: args,
    environment: [],
    workingDirectory: '/',
    mounts: [],
    user: { supplementalGroups: [], fromImage: '' },
    resources: {},
    security: {
      privileged: false,
      readOnlyRootFilesystem: false,
      allowPrivilegeEscalation: true,
      addCapabilities: [],
      dropCapabilities: [],
      seccomp: 'RuntimeDefault',
    },
    tty: false,
    stdin: false,
    stdinOnce: false,
    logPath,
    terminationMessage: { hostPath: '', containerPath: '' },
    ...changes,
  };
}
