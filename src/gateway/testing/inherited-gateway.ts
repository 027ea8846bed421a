import { createProxy } from '#gateway/gateway.ts';
import { singleRoute } from '#gateway/testing/routes.ts';

/** A gateway process that listens on an inherited descriptor (3) and drains on SIGTERM. Arguments: the container's port and protocol. */
const proxy = await createProxy(singleRoute([Number(process.argv[2])], process.argv[3] === 'h2c' ? { protocol: 'h2c' } : {}));
await proxy.listen({ port: 0, fd: 3, visibility: 'external' });
process.once('SIGTERM', () => void proxy.drain(10_000, 300).then(() => process.exit(0)));
process.send?.('listening');
