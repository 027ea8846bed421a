import { createProxy } from '#gateway/gateway.ts';
import { singleRoute } from '#gateway/testing/routes.ts';

/** A gateway process that listens on an inherited descriptor (3) and drains on SIGTERM. Argument: the container's port. */
const proxy = await createProxy(singleRoute([Number(process.argv[2])]));
await proxy.listen({ port: 0, fd: 3, visibility: 'external' });
process.once('SIGTERM', () => void proxy.drain(10_000, 300).then(() => process.exit(0)));
process.send?.('listening');
