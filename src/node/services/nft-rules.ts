import type { Service } from '#apis/core/v1/service.ts';
import type { EndpointSlice } from '#apis/discovery/v1/endpoint-slice.ts';

export interface RuleInput {
  readonly table: string;
  readonly podCidr: string;
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
}

interface Target {
  readonly ip: string;
  readonly port: number;
}

/**
 * The whole nft script: replaces the table by one that sends each ClusterIP's port to a random ready endpoint. Connections to
 * a ClusterIP port without endpoints are refused at once, as kube-proxy does. Pure: the same input gives the same text.
 */
export function renderRules({ table, podCidr, services, slices }: RuleInput): string {
  const rules: string[] = [];
  const refused: string[] = [];
  for (const service of services.toSorted(byName)) {
    const ip = service.spec?.clusterIP ?? '';
    if (!isIPv4(ip)) continue;
    const own = slices.filter((slice) => isSliceOf(slice, service));
    for (const port of service.spec?.ports ?? []) {
      const protocol = (port.protocol ?? 'TCP').toLowerCase();
      if (protocol !== 'tcp' && protocol !== 'udp') continue;
      const match = `ip daddr ${ip} ${protocol} dport ${port.port}`;
      const targets = targetsOf(own, port.name ?? '', port.protocol ?? 'TCP');
      if (targets.length === 0) refused.push(`    ${match} reject`);
      else rules.push(`    ${match} ${dnat(targets)}`);
    }
  }
  return `table ip ${table}
delete table ip ${table}
table ip ${table} {
  chain services {
${rules.join('\n')}
  }
  chain refused {
${refused.join('\n')}
  }
  chain prerouting { type nat hook prerouting priority dstnat; policy accept; jump services; }
  chain output { type nat hook output priority -100; policy accept; jump services; }
  chain forward { type filter hook forward priority filter; policy accept; jump refused; }
  chain local { type filter hook output priority filter; policy accept; jump refused; }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr ${podCidr} ip daddr ${podCidr} ct status dnat masquerade
  }
}
`;
}

function dnat(targets: readonly Target[]): string {
  const [only] = targets;
  if (targets.length === 1 && only !== undefined) return `dnat to ${only.ip}:${only.port}`;
  const map = targets.map(({ ip, port }, index) => `${index} : ${ip} . ${port}`).join(', ');
  return `dnat ip to numgen random mod ${targets.length} map { ${map} }`;
}

/** Ready endpoints of one port, in a stable order; serving ones that are being ended where there is no other. */
function targetsOf(slices: readonly EndpointSlice[], portName: string, protocol: string): readonly Target[] {
  const ready: Target[] = [];
  const ending: Target[] = [];
  for (const slice of slices) {
    const port = slice.ports?.find((one) => (one.name ?? '') === portName && (one.protocol ?? 'TCP') === protocol)?.port;
    if (port === undefined) continue;
    for (const { addresses, conditions } of slice.endpoints ?? []) {
      const [ip] = addresses;
      if (ip === undefined || !isIPv4(ip)) continue;
      if (conditions?.ready !== false) ready.push({ ip, port });
      else if (conditions.serving === true && conditions.terminating === true) ending.push({ ip, port });
    }
  }
  return (ready.length > 0 ? ready : ending).sort((a, b) => (a.ip === b.ip ? a.port - b.port : a.ip < b.ip ? -1 : 1));
}

export function isSliceOf(slice: EndpointSlice, service: Service): boolean {
  return (
    slice.metadata.namespace === service.metadata.namespace &&
    slice.metadata.labels?.['kubernetes.io/service-name'] === service.metadata.name
  );
}

function isIPv4(text: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(text);
}

function byName(a: Service, b: Service): number {
  const key = ({ metadata }: Service) => `${metadata.namespace}/${metadata.name}`;
  return key(a) < key(b) ? -1 : 1;
}
