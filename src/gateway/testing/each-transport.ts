import { test } from 'node:test';
import { createProxy, type DataPlaneOptions, type Proxy, type RouteConfig, type WireListener } from '#gateway/gateway.ts';

export interface TestProxy extends AsyncDisposable {
  readonly proxy: Proxy;
  readonly port: number;
  readonly listener: WireListener;
}

/** A proxy that listens on a free port for external rules. */
export async function startProxy(routes: RouteConfig, options: DataPlaneOptions = {}): Promise<TestProxy> {
  const proxy = await createProxy(routes, options);
  const listener = await proxy.listen({ port: 0, visibility: 'external' });
  return { proxy, listener, port: listener.port, [Symbol.asyncDispose]: () => proxy.close() };
}

export type TransportName = 'raw' | 'net';

/** The same test over both transports. */
export function testEach(name: string, run: (transport: TransportName) => Promise<void>): void {
  for (const transport of ['raw', 'net'] as const) test(`${name} (${transport})`, () => run(transport));
}
