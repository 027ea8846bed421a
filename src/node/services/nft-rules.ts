import type { Pod } from '#apis/core/v1/pod.ts';
import type { Service } from '#apis/core/v1/service.ts';
import type { EndpointSlice } from '#apis/discovery/v1/endpoint-slice.ts';
import {
  hostPortFronts,
  isWildcard,
  serviceFronts,
  type HostServices,
  type ServiceFront,
  type Target,
} from '#node/services/service-fronts.ts';

export interface RuleInput {
  readonly table: string;
  readonly podCidr: string;
  /** Interface of the pod network. */
  readonly bridge: string;
  /** Where other machines reach node ports: an address of this machine, a wildcard for all of them, loopback for none. */
  readonly listen: string;
  readonly hostServices: HostServices;
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
  /** Pods of this node, for their host ports. */
  readonly pods: readonly Pod[];
}

/**
 * The whole nft script: replaces the table by one that sends each address and port of a Service to a random ready endpoint. Connections to
 * a ClusterIP port without endpoints are refused at once, as kube-proxy does. Pods meet only the rules of their own platform. Processes of
 * this machine reach a node port at each of its addresses, also at 127.0.0.1; others only where `listen` lets them. Pure: the same input
 * gives the same text.
 */
export function renderRules({ table, podCidr, bridge, listen, hostServices, services, slices, pods }: RuleInput): string {
  const fronts = serviceFronts(services, slices, hostServices);
  const onHost = fronts.filter((front) => front.onHost);
  const inPods = fronts.filter((front) => !front.onHost);
  const chain = (name: string, rules: readonly string[]) => `  chain ${name} {\n${rules.map((rule) => `    ${rule}\n`).join('')}  }`;
  const outside = fromOutside(listen, bridge);
  return `table ip ${table}
delete table ip ${table}
table ip ${table} {
${chain('services', inPods.filter(hasTargets).flatMap(byAddress))}
${chain('node_ports', [...hostPortFronts(pods), ...inPods.filter(hasTargets)].flatMap(byNodePort))}
${chain('host_services', onHost.flatMap(byAddress))}
${chain('host_node_ports', onHost.flatMap(byNodePort))}
${chain('host_node_ports_outside', isWildcard(listen) ? onHost.flatMap(redirected) : onHost.flatMap(byNodePort))}
${chain(
  'refused',
  inPods
    .filter((front) => !hasTargets(front))
    .map(({ addresses, protocol, port }) => `ip daddr ${addresses[0]} ${protocol} dport ${port} reject`),
)}
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    iifname "${bridge}" jump services
    iifname "${bridge}" fib daddr type local jump node_ports
${outside === undefined ? '' : `    ${outside} jump node_ports\n    ${outside} jump host_node_ports_outside\n`}  }
  chain output {
    type nat hook output priority -100; policy accept;
    jump services
    jump host_services
    fib daddr type local jump node_ports
    fib daddr type local jump host_node_ports
  }
  chain forward { type filter hook forward priority filter; policy accept; iifname "${bridge}" jump refused; }
  chain local { type filter hook output priority filter; policy accept; jump refused; }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr ${podCidr} ip daddr ${podCidr} ct status dnat masquerade
    ip saddr 127.0.0.0/8 oifname "${bridge}" masquerade
  }
  chain guard {
    type filter hook prerouting priority raw; policy accept;
    iifname "${bridge}" ip daddr 127.0.0.0/8 drop
  }
}
`;
}

/** What other machines' packets to node ports match; undefined when there are none to be let in. */
function fromOutside(listen: string, bridge: string): string | undefined {
  if (isWildcard(listen)) return `iifname != "${bridge}" fib daddr type local`;
  return /^127\.|:/.test(listen) ? undefined : `iifname != "${bridge}" ip daddr ${listen}`;
}

function hasTargets({ targets }: ServiceFront): boolean {
  return targets.length > 0;
}

function byAddress({ addresses, protocol, port, targets }: ServiceFront): readonly string[] {
  return addresses.map((address) => `ip daddr ${address} ${protocol} dport ${port} ${dnat(targets)}`);
}

function byNodePort({ protocol, nodePort, nodeAddress, targets }: ServiceFront): readonly string[] {
  const at = nodeAddress === undefined ? '' : `ip daddr ${nodeAddress} `;
  return nodePort === 0 ? [] : [`${at}${protocol} dport ${nodePort} ${dnat(targets)}`];
}

function redirected({ protocol, nodePort, targets }: ServiceFront): readonly string[] {
  return nodePort === 0 ? [] : targets.map(({ port }) => `${protocol} dport ${nodePort} redirect to :${port}`);
}

function dnat(targets: readonly Target[]): string {
  const [only] = targets;
  if (targets.length === 1 && only !== undefined) return `dnat to ${only.ip}:${only.port}`;
  const map = targets.map(({ ip, port }, index) => `${index} : ${ip} . ${port}`).join(', ');
  return `dnat ip to numgen random mod ${targets.length} map { ${map} }`;
}
