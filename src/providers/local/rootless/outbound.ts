/** Where connections of pods to other machines arrive inside the platform's network namespace. */
export const outboundPort = 15_001;

/**
 * The nft script of an ordinary user's way out: TCP connections to addresses that are neither the platform's nor loopback go to the forwarder
 * at `outboundPort`, which makes them again outside; DNS asked of anybody goes to the cluster's. Whatever else wants to leave is refused at
 * once instead of waiting for an answer. Behind the Services' rules, which come first. Pure.
 */
export function redirectRules(table: string, { bridge, cidr, serviceCidr }: Record<'bridge' | 'cidr' | 'serviceCidr', string>): string {
  const elsewhere = `ip daddr != { ${cidr}, ${serviceCidr}, 0.0.0.0/8, 127.0.0.0/8, 224.0.0.0/3 } fib daddr type != local`;
  return `table ip ${table} {}
delete table ip ${table}
table ip ${table} {
  chain prerouting {
    type nat hook prerouting priority dstnat + 10;
    iifname "${bridge}" ${elsewhere} meta l4proto tcp redirect to :${outboundPort}
    iifname "${bridge}" ${elsewhere} udp dport 53 redirect to :53
  }
  chain output {
    type nat hook output priority -90;
    ${elsewhere} meta l4proto tcp redirect to :${outboundPort}
  }
  chain forward {
    type filter hook forward priority filter + 10;
    iifname "${bridge}" ip daddr != ${cidr} reject with icmp type net-unreachable
  }
}
`;
}
