import type { ContainerSpec, SandboxSpec } from '#apis/runtime/engine.ts';
import type { LocalImage } from '#apis/runtime/image-service.ts';
import { bareContainer } from '#providers/local/container/bare-container.ts';

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
  return { ...bareContainer('main', image, args), logPath, ...changes };
}
