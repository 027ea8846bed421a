import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { createHash } from 'node:crypto';
import { decodeQuery, encodeAnswer, recordTypes, responseCodes } from '#node/dns/message.ts';
import { framed } from '#node/dns/upstream.ts';

/**
 * What is beyond a platform in a network of its own: `node outside-world.ts ADDRESS`. A web server at ADDRESS:8080 (what is sent to it comes
 * back as its SHA-256, /big is 20 MB), one at 127.0.0.1:8081 that is nobody else's business, and a DNS server on loopback, as systemd's,
 * that knows outside.example.
 */
const [address = ''] = process.argv.slice(2);
const big = Buffer.alloc(20 * 2 ** 20, 'outside ');

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.url === '/big') return void response.end(big);
  const hash = createHash('sha256');
  for await (const chunk of request) hash.update(chunk as Uint8Array);
  response.end(request.method === 'POST' ? `${hash.digest('hex')}\n` : 'from outside\n');
}

createServer((request, response) => void answer(request, response)).listen(8080, address);
createServer((_request, response) => response.end('from loopback\n')).listen(8081, '127.0.0.1');
createTcpServer((socket) => {
  socket.on('error', () => socket.destroy());
  socket.on('data', (bytes: Buffer) => {
    const query = decodeQuery(bytes.subarray(2));
    if (query === undefined) return void socket.destroy();
    const { name, type } = query.question;
    const isKnown = name === 'outside.example';
    const data = Buffer.from(address.split('.').map(Number));
    const answers = isKnown && type === recordTypes.A ? [{ name, type, ttlSeconds: 5, data }] : [];
    const code = isKnown ? responseCodes.noError : responseCodes.nameError;
    socket.end(framed(encodeAnswer(query, { code, answers, authority: [] }, 65_535)));
  });
}).listen(53, '127.0.0.1', () => console.log('ready'));
