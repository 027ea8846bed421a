import type { Pod } from '#apis/core/v1/pod.ts';
import type { SandboxSpec } from '#apis/runtime/engine.ts';
import type { NodeFacts } from '#node/sources.ts';

export type DnsSettings = SandboxSpec['dns'];

/** What a pod's resolv.conf says, by its dnsPolicy and dnsConfig; `host` is the machine's own configuration. */
export function dnsSettings(pod: Pod, node: NodeFacts, host: DnsSettings): DnsSettings {
  const base = baseSettings(pod, node, host);
  const config = pod.spec?.dnsConfig ?? {};
  const options = new Map(base.options.map((option) => [option.split(':')[0] ?? option, option]));
  for (const { name = '', value } of config.options ?? [])
    options.set(name, value === undefined || value === '' ? name : `${name}:${value}`);
  return {
    nameservers: unique([...base.nameservers, ...(config.nameservers ?? [])]).slice(0, 3),
    searches: unique([...base.searches, ...(config.searches ?? [])]).slice(0, 32),
    options: [...options.values()],
  };
}

function baseSettings(pod: Pod, node: NodeFacts, host: DnsSettings): DnsSettings {
  const policy = pod.spec?.dnsPolicy ?? 'ClusterFirst';
  if (policy === 'None') return { nameservers: [], searches: [], options: [] };
  const onHost = policy === 'ClusterFirst' && pod.spec?.hostNetwork === true;
  if (policy === 'Default' || onHost || node.clusterDns.length === 0) return host;
  const domain = node.clusterDomain;
  return {
    nameservers: node.clusterDns,
    searches: [`${pod.metadata.namespace}.svc.${domain}`, `svc.${domain}`, domain, ...host.searches],
    options: ['ndots:5'],
  };
}

const unique = (values: readonly string[]): string[] => [...new Set(values)];

/** Reads resolv.conf(5): nameserver, search (the last one counts), options. */
export function parseResolvConf(text: string): DnsSettings {
  const nameservers: string[] = [];
  let searches: string[] = [];
  const options: string[] = [];
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line
      .replace(/[#;].*/, '')
      .trim()
      .split(/\s+/);
    if (keyword === 'nameserver' && values[0] !== undefined) nameservers.push(values[0]);
    if (keyword === 'search' || keyword === 'domain') searches = values;
    if (keyword === 'options') options.push(...values);
  }
  return { nameservers, searches, options };
}
