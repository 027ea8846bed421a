import { writeFileSync } from 'node:fs';
import { serviceCidr } from '#apis/dormouse/names.ts';
import { errorText } from '#core/errors.ts';
import { applyNftScript } from '#core/nft.ts';
import { redirectRules } from '#providers/local/rootless/outbound.ts';

/** The pod network: its interface and addresses. */
interface PodNetwork {
  readonly bridge: string;
  readonly cidr: string;
}

/** Source NAT for what leaves the pod network, in an nft table of our own. Returns why it cannot be had, or undefined. */
export async function translateOutbound({ bridge, cidr }: PodNetwork): Promise<string | undefined> {
  const table = tableName(bridge);
  return forwarding(`table ip ${table} {}
delete table ip ${table}
table ip ${table} {
  chain postrouting {
    type nat hook postrouting priority 100;
    ip saddr ${cidr} oifname != "${bridge}" masquerade
  }
}
`);
}

/** Sends what leaves the pod network to the forwarder outside (rootless/outbound.ts). Returns why it cannot be had, or undefined. */
export async function redirectOutbound(network: PodNetwork): Promise<string | undefined> {
  return forwarding(redirectRules(tableName(network.bridge), { ...network, serviceCidr }));
}

/** Removes the table; it does not need to exist. */
export async function closeOutbound(bridge: string): Promise<void> {
  await applyNftScript(`delete table ip ${tableName(bridge)}\n`).catch(() => undefined);
}

function tableName(bridge: string): string {
  return `dormouse_${bridge}`;
}

async function forwarding(rules: string): Promise<string | undefined> {
  try {
    writeFileSync('/proc/sys/net/ipv4/ip_forward', '1');
  } catch (error) {
    return `pods cannot reach other networks: IP forwarding cannot be switched on (${errorText(error)})`;
  }
  try {
    await applyNftScript(rules);
    return undefined;
  } catch (error) {
    return `pods cannot reach other networks: install nftables (${errorText(error).split('\n')[0]})`;
  }
}
