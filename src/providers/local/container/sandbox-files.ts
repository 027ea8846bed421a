import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SandboxSpec } from '#apis/runtime/engine.ts';

/** The text of /etc/resolv.conf. */
function resolvConf(dns: SandboxSpec['dns']): string {
  const lines = [
    ...(dns.searches.length > 0 ? [`search ${dns.searches.join(' ')}`] : []),
    ...dns.nameservers.map((server) => `nameserver ${server}`),
    ...(dns.options.length > 0 ? [`options ${dns.options.join(' ')}`] : []),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

/** The text of /etc/hosts, as the kubelet writes it. */
function hostsFile(spec: SandboxSpec, ip: string): string {
  const own = ip === '' ? `127.0.1.1\t${spec.hostname}` : `${ip}\t${spec.hostname}`;
  const fixed = [
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::0\tip6-localnet',
    'fe00::0\tip6-mcastprefix',
    'fe00::1\tip6-allnodes',
    'fe00::2\tip6-allrouters',
  ];
  const aliases = spec.hostAliases.map(({ ip, hostnames }) => `${ip}\t${hostnames.join('\t')}`);
  return ['# Kubernetes-managed hosts file.', ...fixed, own, ...aliases, ''].join('\n');
}

/**
 * Puts into a container's writable layer what must be there whatever the image says: real directories where kernel file systems are mounted, and the
 * pod's name files. Being in the upper layer they replace symbolic links of the image.
 */
export function prepareUpperLayer(upper: string, spec: SandboxSpec, ip: string): void {
  for (const directory of ['dev', 'proc', 'sys', 'etc']) mkdirSync(join(upper, directory), { recursive: true, mode: 0o755 });
  const files = { hostname: `${spec.hostname}\n`, hosts: hostsFile(spec, ip), 'resolv.conf': resolvConf(spec.dns) };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(upper, 'etc', name), content, { mode: 0o644 });
}
