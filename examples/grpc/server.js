// gRPC without a library, to show what it is on the wire: HTTP/2 streams of framed messages, and the outcome in the trailers.
import { createServer } from 'node:http2';

const greeting = process.env.GREETING ?? 'Hello';
const ok = '0';
const unimplemented = '12';

/** One message: not compressed, its length, its bytes. */
function frame(message) {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** The messages of a request, as they come. */
async function* messages(stream) {
  let bytes = Buffer.alloc(0);
  for await (const part of stream) {
    bytes = Buffer.concat([bytes, part]);
    while (bytes.length >= 5 && bytes.length >= 5 + bytes.readUInt32BE(1)) {
      const end = 5 + bytes.readUInt32BE(1);
      yield bytes.subarray(5, end);
      bytes = bytes.subarray(end);
    }
  }
}

/** `string … = 1` of a protobuf message: tag 0x0a, length (one byte will do here), text. */
const textOf = (message) => (message.length === 0 ? '' : message.subarray(2, 2 + message[1]).toString());
const textMessage = (text) => Buffer.concat([Buffer.from([0x0a, Buffer.byteLength(text)]), Buffer.from(text)]);
const greet = (message) => textMessage(`${greeting} ${textOf(message)}!`);
/** ServingStatus SERVING */
const serving = () => Buffer.from([0x08, 0x01]);

const methods = new Map([
  ['/hello.Greeter/Greet', greet],
  ['/hello.Greeter/GreetAll', greet],
  ['/grpc.health.v1.Health/Check', serving],
]);

const server = createServer();
server.on('stream', async (stream, headers) => {
  const answer = methods.get(headers[':path']);
  const status = answer === undefined ? unimplemented : ok;
  stream.on('error', () => {});
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': status }));
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  if (answer !== undefined) for await (const message of messages(stream)) stream.write(frame(answer(message)));
  stream.end();
});
server.listen(Number(process.env.PORT ?? 8080));
process.once('SIGTERM', () => process.exit(0));
