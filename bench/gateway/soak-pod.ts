import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A container of the soak test: says its name and gives the content back. Tells its parent the port. */
const name = process.argv[2] ?? '';
const server = createServer((request, response) => {
  const parts: Buffer[] = [];
  request.on('data', (part: Buffer) => parts.push(part));
  request.on('end', () => response.end(`${name} ${Buffer.concat(parts).toString('latin1')}`));
});
server.keepAliveTimeout = 2000;
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
process.on('disconnect', () => process.exit(0));
