import { dialAnnotation, podNetworkAnnotation, type PodNetwork } from '#apis/dormouse/names.ts';
import type { NodeCondition, NodeStatus } from '#apis/core/v1/node-status.ts';
import type { Node } from '#apis/core/v1/node.ts';
import { canonicalQuantity } from '#apis/meta/quantity.ts';
import { kubernetesVersion } from '#apis/dormouse/version.ts';
import { rfc3339 } from '#core/clock.ts';
import type { ProviderCapabilities } from '#node/provider.ts';
import type { Machine, Pressure } from '#node/registration/machine.ts';

/** The kubelet's default. */
const maxPods = 110;

export interface NodeSettings {
  readonly nodeName: string;
  readonly kubeletPort: number;
  /** How the API server on this machine reaches the kubelet, when not at the internal IP: `tcp:<host>:<port>`, `unix:<path>`. */
  readonly kubeletDial?: string;
  readonly provider: ProviderCapabilities;
  readonly podNetwork?: PodNetwork;
}

/** The node as it is created; whatever others add to it later is kept. */
export function newNode(settings: NodeSettings, machine: Machine): Node {
  const { podNetwork } = settings;
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: settings.nodeName,
      labels: nodeLabels(settings, machine),
      annotations: {
        ...(podNetwork === undefined ? {} : { [podNetworkAnnotation]: JSON.stringify(podNetwork) }),
        ...(settings.kubeletDial === undefined ? {} : { [dialAnnotation]: settings.kubeletDial }),
      },
    },
    spec: { providerID: `dormouse://${settings.provider.name}/${settings.nodeName}` },
  };
}

export function nodeLabels({ nodeName }: NodeSettings, { os, arch }: Machine): Record<string, string> {
  return {
    'beta.kubernetes.io/arch': arch,
    'beta.kubernetes.io/os': os,
    'kubernetes.io/arch': arch,
    'kubernetes.io/hostname': nodeName,
    'kubernetes.io/os': os,
    'node.kubernetes.io/instance-type': 'dormouse',
    type: 'virtual-kubelet',
  };
}

/** The parts of the status that this agent owns. `ready`: undefined while it is fine, else why it is not. */
export function nodeStatus(
  settings: NodeSettings,
  machine: Machine,
  state: { readonly pressure: Pressure; readonly notReady: string | undefined; readonly now: number; readonly previous: NodeStatus },
): NodeStatus {
  const resources = {
    cpu: String(machine.cpuCount),
    memory: canonicalQuantity(`${Math.floor(machine.memoryBytes / 1024)}Ki`),
    'ephemeral-storage': canonicalQuantity(`${Math.floor(machine.diskBytes / 1024)}Ki`),
    'hugepages-1Gi': '0',
    'hugepages-2Mi': '0',
    pods: String(maxPods),
  };
  return {
    capacity: resources,
    allocatable: resources,
    conditions: conditions(state),
    addresses: [
      { type: 'InternalIP', address: machine.internalIp },
      { type: 'Hostname', address: settings.nodeName },
    ],
    daemonEndpoints: { kubeletEndpoint: { Port: settings.kubeletPort } },
    nodeInfo: {
      machineID: machine.machineId,
      systemUUID: machine.systemUuid,
      bootID: machine.bootId,
      kernelVersion: machine.kernelVersion,
      osImage: machine.osImage,
      containerRuntimeVersion: settings.provider.containerRuntimeVersion,
      kubeletVersion: kubernetesVersion,
      kubeProxyVersion: '',
      operatingSystem: machine.os,
      architecture: machine.arch,
    },
  };
}

type ConditionInput = Parameters<typeof nodeStatus>[2];

function conditions({ pressure, notReady, now, previous }: ConditionInput): NodeCondition[] {
  const own: Pick<NodeCondition, 'type' | 'status' | 'reason' | 'message'>[] = [
    pressured('MemoryPressure', pressure.memory, 'Memory', 'memory'),
    pressured('DiskPressure', pressure.disk, 'Disk', 'disk'),
    pressured('PIDPressure', pressure.pids, 'PID', 'PID'),
    { type: 'NetworkUnavailable', status: 'False', reason: 'RouteCreated', message: 'pod network is up' },
    notReady === undefined
      ? { type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'kubelet is posting ready status' }
      : { type: 'Ready', status: 'False', reason: 'KubeletNotReady', message: notReady },
  ];
  const known = new Map((previous.conditions ?? []).map((condition) => [condition.type, condition]));
  const stamped = own.map((condition) => {
    const before = known.get(condition.type);
    known.delete(condition.type);
    const lastTransitionTime = (before?.status === condition.status ? before.lastTransitionTime : undefined) ?? rfc3339(now);
    return { ...condition, lastHeartbeatTime: rfc3339(now), lastTransitionTime };
  });
  return [...known.values(), ...stamped];
}

function pressured(type: string, isPressed: boolean, reason: string, what: string) {
  if (isPressed) return { type, status: 'True', reason: `KubeletHas${reason}Pressure`, message: `kubelet has ${what} pressure` };
  const fine = type === 'DiskPressure' ? 'HasNoDiskPressure' : type === 'MemoryPressure' ? 'HasSufficientMemory' : 'HasSufficientPID';
  const message =
    type === 'DiskPressure' ? 'kubelet has no disk pressure' : `kubelet has sufficient ${what}${what === 'PID' ? '' : ' available'}`;
  return { type, status: 'False', reason: `Kubelet${fine}`, message: what === 'PID' ? `${message} available` : message };
}
