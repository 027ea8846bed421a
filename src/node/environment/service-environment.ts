import type { Service } from '#apis/core/v1/service.ts';

/** Environment variables that tell a container about services (`REDIS_SERVICE_HOST`, `REDIS_PORT_6379_TCP_ADDR` …). */
export function serviceEnvironment(services: readonly Service[]): Map<string, string> {
  const environment = new Map<string, string>();
  for (const service of services) {
    const ip = service.spec?.clusterIP;
    const ports = service.spec?.ports ?? [];
    const first = ports[0];
    if (ip === undefined || ip === '' || ip === 'None' || first === undefined) continue;
    const prefix = variableName(service.metadata.name ?? '');
    const host = ip.includes(':') ? `[${ip}]` : ip;
    environment.set(`${prefix}_SERVICE_HOST`, ip);
    environment.set(`${prefix}_SERVICE_PORT`, String(first.port));
    for (const port of ports) {
      if (port.name !== undefined && port.name !== '')
        environment.set(`${prefix}_SERVICE_PORT_${variableName(port.name)}`, String(port.port));
    }
    environment.set(`${prefix}_PORT`, `${(first.protocol ?? 'TCP').toLowerCase()}://${host}:${first.port}`);
    for (const { port, protocol = 'TCP' } of ports) {
      const link = `${prefix}_PORT_${port}_${protocol}`;
      environment.set(link, `${protocol.toLowerCase()}://${host}:${port}`);
      environment.set(`${link}_PROTO`, protocol.toLowerCase());
      environment.set(`${link}_PORT`, String(port));
      environment.set(`${link}_ADDR`, ip);
    }
  }
  return environment;
}

function variableName(name: string): string {
  return name.toUpperCase().replaceAll('-', '_');
}
