// A WebSocket echo without dependencies: text messages of up to 125 bytes come back in capitals, longer ones end the connection.
// While a connection is open the service is not scaled to zero.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';

/** A close frame with status 1009, "message too big". */
const tooBig = Buffer.from([0x88, 2, 0x03, 0xf1]);

const server = createServer((_request, response) => response.end('Connect with a WebSocket client.\n'));

server.on('upgrade', (request, socket, head) => {
  const key = request.headers['sec-websocket-key'] ?? '';
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
  let pending = head;
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    pending = Buffer.concat([pending, chunk]);
    answer();
  });
  answer();

  function answer() {
    for (;;) {
      if (pending.length < 6) return;
      const length = pending[1] & 0x7f;
      if (length > 125) return void socket.end(tooBig);
      if (pending.length < 6 + length) return;
      const [opcode, mask, data] = [pending[0] & 0x0f, pending.subarray(2, 6), pending.subarray(6, 6 + length)];
      pending = pending.subarray(6 + length);
      if (opcode === 8) return void socket.end(Buffer.from([0x88, 0]));
      if (opcode !== 1) continue;
      const text = Buffer.from(data.map((byte, index) => byte ^ mask[index % 4]))
        .toString('utf8')
        .toUpperCase();
      const reply = Buffer.from(text);
      // Some letters are longer in capitals.
      if (reply.length > 125) return void socket.end(tooBig);
      socket.write(Buffer.concat([Buffer.from([0x81, reply.length]), reply]));
    }
  }
});

server.listen(Number(process.env.PORT ?? 8080));
