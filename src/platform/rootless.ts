import { join } from 'node:path';
import { forward } from '#platform/forward.ts';
import { localHost } from '#platform/local-host.ts';
import type { ProcessConfig } from '#platform/process-config.ts';

export const isRoot = (): boolean => process.getuid?.() === 0;

/** Listeners of the node process that others on the machine call. */
const shared = ['kubeletPort', 'registryPort'] as const;
const socketOf = ({ layout }: ProcessConfig, name: string): string => join(layout.runDir, `${name}.sock`);

/** In the node process of an ordinary user: its ports (in the platform's own network) behind unix sockets. */
export function offerNodePorts(config: ProcessConfig): Promise<AsyncDisposable[]> {
  return Promise.all(shared.map((name) => forward({ path: socketOf(config, name) }, { host: '127.0.0.1', port: config.ports[name] })));
}

/** On the machine's side: the same ports on loopback, leading to those sockets. */
export function takeNodePorts(config: ProcessConfig): Promise<AsyncDisposable[]> {
  const host = localHost(config.settings.listen);
  return Promise.all(shared.map((name) => forward({ host, port: config.ports[name] }, { path: socketOf(config, name) })));
}
