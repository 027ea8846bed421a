import { hostname } from 'node:os';
import type { Container, EphemeralContainer } from '#apis/core/v1/container.ts';
import type { Pod } from '#apis/core/v1/pod.ts';
import { parseQuantity, quantityMilliValue, quantityValue } from '#apis/meta/quantity.ts';
import type { ContainerResources, ContainerSpec, Mount, SandboxSpec } from '#apis/runtime/engine.ts';
import type { LocalImage } from '#apis/runtime/image-service.ts';
import { dnsSettings, type DnsSettings } from '#node/engine-provider/dns-settings.ts';
import { expandVariables } from '#node/environment/expand.ts';
import { ContainerConfigError } from '#node/environment/resolve.ts';
import type { NodeFacts } from '#node/sources.ts';

const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface ContainerSpecInput {
  readonly pod: Pod;
  readonly container: Container | EphemeralContainer;
  readonly image: LocalImage;
  readonly attempt: number;
  readonly environment: ReadonlyMap<string, string>;
  readonly mounts: readonly Mount[];
  readonly logPath: string;
  readonly terminationPath: string;
}

/** What the engine has to start for a container of a pod. Pure; throws ContainerConfigError for what can never run. */
export function buildContainerSpec(input: ContainerSpecInput): ContainerSpec {
  const { pod, container, image, attempt, environment, mounts } = input;
  const security = container.securityContext ?? {};
  const podSecurity = pod.spec?.securityContext ?? {};
  const privileged = security.privileged ?? false;
  const target = ('targetContainerName' in container ? container.targetContainerName : undefined) ?? '';
  const seccomp = security.seccompProfile ?? podSecurity.seccompProfile;
  return {
    name: container.name,
    attempt,
    image,
    arguments: argumentsOf(container, image, environment),
    environment: environmentOf(pod, image, environment),
    workingDirectory: firstNonEmpty(container.workingDir, image.config.workingDirectory) ?? '/',
    mounts,
    ...(target === '' ? {} : { processesOf: target }),
    user: userOf(pod, container, image),
    resources: containerResources(container),
    security: {
      privileged,
      readOnlyRootFilesystem: security.readOnlyRootFilesystem ?? false,
      allowPrivilegeEscalation: security.allowPrivilegeEscalation ?? true,
      addCapabilities: security.capabilities?.add ?? [],
      dropCapabilities: security.capabilities?.drop ?? [],
      seccomp:
        privileged || seccomp?.type === 'Unconfined'
          ? 'Unconfined'
          : seccomp?.type === 'Localhost'
            ? { localhostProfile: seccomp.localhostProfile ?? '' }
            : 'RuntimeDefault',
    },
    tty: container.tty ?? false,
    stdin: container.stdin ?? false,
    stdinOnce: container.stdinOnce ?? false,
    logPath: input.logPath,
    terminationMessage: {
      hostPath: input.terminationPath,
      containerPath: firstNonEmpty(container.terminationMessagePath) ?? '/dev/termination-log',
    },
  };
}

/** `command` replaces the image's entrypoint and its arguments, `args` the arguments alone; `$(VAR)` is expanded in both. */
function argumentsOf(container: Container, image: LocalImage, environment: ReadonlyMap<string, string>): string[] {
  const expand = (text: string) => expandVariables(text, (name) => environment.get(name));
  const command = (container.command ?? []).map(expand);
  const args = (container.args ?? []).map(expand);
  const all = command.length > 0 ? [...command, ...args] : [...image.config.entrypoint, ...(args.length > 0 ? args : image.config.command)];
  if (all.length === 0) throw new ContainerConfigError('no command specified');
  return all;
}

function environmentOf(pod: Pod, image: LocalImage, environment: ReadonlyMap<string, string>): string[] {
  const merged = new Map([
    ['PATH', defaultPath],
    ['HOSTNAME', hostnameOf(pod)],
  ]);
  for (const entry of image.config.environment) {
    const equals = entry.indexOf('=');
    if (equals > 0) merged.set(entry.slice(0, equals), entry.slice(equals + 1));
  }
  for (const [name, value] of environment) merged.set(name, value);
  return [...merged].map(([name, value]) => `${name}=${value}`);
}

function userOf(pod: Pod, container: Container, image: LocalImage): ContainerSpec['user'] {
  const security = container.securityContext ?? {};
  const podSecurity = pod.spec?.securityContext ?? {};
  const uid = security.runAsUser ?? podSecurity.runAsUser;
  const gid = security.runAsGroup ?? podSecurity.runAsGroup;
  if (security.runAsNonRoot ?? podSecurity.runAsNonRoot ?? false) assertNonRoot(pod, container, uid, image.config.user);
  const fsGroup = podSecurity.fsGroup === undefined ? [] : [podSecurity.fsGroup];
  return {
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
    supplementalGroups: [...new Set([...(podSecurity.supplementalGroups ?? []), ...fsGroup])],
    fromImage: image.config.user,
  };
}

function assertNonRoot({ metadata }: Pod, container: Container, uid: number | undefined, imageUser: string): void {
  const where = `(pod: "${metadata.name}_${metadata.namespace}(${metadata.uid})", container: ${container.name})`;
  if (uid === 0) throw new ContainerConfigError(`container's runAsUser breaks non-root policy ${where}`);
  if (uid !== undefined) return;
  const user = imageUser.split(':')[0] ?? '';
  if (user === '' || user === '0' || user === 'root')
    throw new ContainerConfigError(`container has runAsNonRoot and image will run as root ${where}`);
  if (!/^\d+$/.test(user)) {
    const text = `container has runAsNonRoot and image has non-numeric user (${user}), cannot verify user is non-root`;
    throw new ContainerConfigError(`${text} ${where}`);
  }
}

function containerResources({ resources }: Container): ContainerResources {
  const cpuLimit = resources?.limits?.['cpu'];
  const memoryLimit = resources?.limits?.['memory'];
  const cpuRequest = resources?.requests?.['cpu'] ?? cpuLimit;
  const memoryRequest = resources?.requests?.['memory'] ?? memoryLimit;
  return {
    ...(cpuRequest === undefined ? {} : { cpuRequestMillis: quantityMilliValue(parseQuantity(cpuRequest)) }),
    ...(cpuLimit === undefined ? {} : { cpuLimitMillis: quantityMilliValue(parseQuantity(cpuLimit)) }),
    ...(memoryRequest === undefined ? {} : { memoryRequestBytes: quantityValue(parseQuantity(memoryRequest)) }),
    ...(memoryLimit === undefined ? {} : { memoryLimitBytes: quantityValue(parseQuantity(memoryLimit)) }),
  };
}

/** The pod's host name: its spec's, else its name, at most 63 characters; in the host's network the host's. */
function hostnameOf(pod: Pod): string {
  if (pod.spec?.hostNetwork === true) return hostname();
  const name = firstNonEmpty(pod.spec?.hostname) ?? pod.metadata.name ?? '';
  return name.slice(0, 63).replace(/[-.]+$/, '');
}

export function buildSandboxSpec(pod: Pod, node: NodeFacts, hostDns: DnsSettings): SandboxSpec {
  const { subdomain } = pod.spec ?? {};
  const fqdn = `${hostnameOf(pod)}.${subdomain ?? ''}.${pod.metadata.namespace}.svc.${node.clusterDomain}`;
  return {
    id: pod.metadata.uid ?? '',
    namespace: pod.metadata.namespace ?? '',
    name: pod.metadata.name ?? '',
    hostname: pod.spec?.setHostnameAsFQDN === true && subdomain !== undefined ? fqdn : hostnameOf(pod),
    hostNetwork: pod.spec?.hostNetwork ?? false,
    dns: dnsSettings(pod, node, hostDns),
    hostAliases: (pod.spec?.hostAliases ?? []).map(({ ip, hostnames }) => ({ ip, hostnames: hostnames ?? [] })),
    sysctls: Object.fromEntries((pod.spec?.securityContext?.sysctls ?? []).map(({ name, value }) => [name, value])),
    shareProcessNamespace: pod.spec?.shareProcessNamespace ?? false,
    hostProcesses: pod.spec?.hostPID ?? false,
    ports: (pod.spec?.containers ?? []).flatMap(({ ports }) => (ports ?? []).map(({ containerPort }) => containerPort)),
  };
}

function firstNonEmpty(...values: readonly (string | undefined)[]): string | undefined {
  return values.find((value) => value !== undefined && value !== '');
}
