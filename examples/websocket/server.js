// A WebSocket echo without dependencies: text messages of up to 125 bytes come back in capitals. While a connection is open the
// service is not scaled to zero.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';

const server = createServer((_request, response) => response.end('Connect with a WebSocket client.\n'));

server.on('upgrade', (request, socket) => {
  const key = request.headers['sec-websocket-key'] ?? '';
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
  let pending = Buffer.alloc(0);
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    pending = Buffer.concat([pending, chunk]);
    for (;;) {
      if (pending.length < 6) return;
      const length = pending[1] & 0x7f;
      if (length > 125 || pending.length < 6 + length) return;
      const [opcode, mask, data] = [pending[0] & 0x0f, pending.subarray(2, 6), pending.subarray(6, 6 + length)];
      pending = pending.subarray(6 + length);
      if (opcode === 8) return void socket.end(Buffer.from([0x88, 0]));
      if (opcode !== 1) continue;
      const text = Buffer.from(data.map((byte, index) => byte ^ mask[index % 4]))
        .toString('utf8')
        .toUpperCase();
      const answer = Buffer.from(text);
      socket.write(Buffer.concat([Buffer.from([0x81, answer.length]), answer]));
    }
  });
});

server.listen(Number(process.env.PORT ?? 8080));
