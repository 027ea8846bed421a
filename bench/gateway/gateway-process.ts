import { createProxy, type RouteConfig } from '#gateway/gateway.ts';
import { TlsContexts } from '#gateway/tls-contexts.ts';
import { silentLogger } from '#core/logger.ts';
import { readFileSync } from 'node:fs';

/**
 * The gateway as a process of its own, with as many routes as asked for:
 * `node gateway-process.ts <port> <upstream port> <raw|net> [routes] [tls port, certificate, key [port of an h2c container]]`.
 */
const [port, upstream, transport, routeCount = '1', tlsPort, certificate, key, http2Port] = process.argv.slice(2);

const pods = [{ key: 'bench/pod', dial: { host: '127.0.0.1', port: Number(upstream) } }];
const names = Array.from({ length: Number(routeCount) }, (_, index) => `rev-${index}`);
const settings = {
  namespace: 'bench',
  isRevision: true,
  containerConcurrency: 0,
  timeoutMs: 300_000,
  responseStartTimeoutMs: 0,
  idleTimeoutMs: 0,
};
const splits = [
  { backend: 'rev-0', percent: 90 },
  { backend: 'canary', percent: 10 },
];
const certificates =
  certificate === undefined || key === undefined
    ? []
    : [{ hosts: ['localhost', 'bench.test'], certificate: readFileSync(certificate, 'utf8'), key: readFileSync(key, 'utf8') }];
const routes: RouteConfig = {
  certificates,
  backends: [
    ...['canary', ...names].map((name) => ({ ...settings, key: name, name, pods })),
    {
      ...settings,
      key: 'h2c',
      name: 'h2c',
      protocol: 'h2c',
      pods: [{ key: 'bench/h2c', dial: { host: '127.0.0.1', port: Number(http2Port ?? 0) } }],
    },
  ],
  rules: [
    { hosts: ['127.0.0.1', 'localhost', 'bench.test'], visibility: 'external', paths: [{ splits }] },
    { hosts: ['h2.bench.test'], visibility: 'external', paths: [{ splits: [{ backend: 'h2c', percent: 100 }] }] },
    ...names.map((name) => ({
      hosts: [`${name}.bench.example.com`],
      visibility: 'external' as const,
      paths: [{ splits: [{ backend: name, percent: 100 }], appendHeaders: { 'Knative-Serving-Revision': name } }],
    })),
  ],
};
const proxy = await createProxy(routes, { transport: transport as 'raw' | 'net' });
await proxy.listen({ port: Number(port), visibility: 'external' });
if (tlsPort !== undefined) {
  const tls = new TlsContexts(silentLogger);
  tls.update(certificates);
  await proxy.listen({ port: Number(tlsPort), visibility: 'external', tls });
}
process.on('SIGTERM', () => process.exit(0));
