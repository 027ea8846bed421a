import type { Duplex } from 'node:stream';

const servingStatus: Readonly<Record<number, string>> = { 0: 'UNKNOWN', 1: 'SERVING', 2: 'NOT_SERVING', 3: 'SERVICE_UNKNOWN' };

/** An answer has some ten. */
const maxAnswerBytes = 64 * 1024;

/** Asks grpc.health.v1.Health/Check over an open connection; the answer is `SERVING`, `NOT_SERVING` … (gRPC health protocol). */
export async function grpcHealth(connection: Duplex, authority: string, service: string, signal: AbortSignal): Promise<string> {
  // Loaded when first needed: most nodes never see a gRPC probe.
  const { connect } = await import('node:http2');
  const session = connect(`http://${authority}`, { createConnection: () => connection });
  try {
    return await new Promise<string>((resolve, reject) => {
      session.once('error', reject);
      signal.addEventListener('abort', () => reject(new Error('timeout: failed to connect service within the time limit')), { once: true });
      const stream = session.request({
        ':method': 'POST',
        ':path': '/grpc.health.v1.Health/Check',
        'content-type': 'application/grpc',
        te: 'trailers',
        'user-agent': 'kube-probe/1.32',
      });
      let grpcStatus: string | undefined;
      const note = (headers: Record<string, unknown>) => {
        if (typeof headers['grpc-status'] === 'string') grpcStatus = headers['grpc-status'];
      };
      const parts: Buffer[] = [];
      stream.on('response', note);
      stream.on('trailers', note);
      let size = 0;
      stream.on('data', (part: Buffer) => {
        parts.push(part);
        size += part.length;
        if (size > maxAnswerBytes) reject(new Error(`error: the answer is longer than ${maxAnswerBytes} bytes`));
      });
      stream.once('error', reject);
      stream.once('end', () => {
        if (grpcStatus === '12')
          reject(new Error('error: this server does not implement the grpc health protocol (grpc.health.v1.Health)'));
        else if (grpcStatus !== '0') reject(new Error(`error: health rpc failed with status ${grpcStatus ?? 'none'}`));
        else resolve(servingStatus[decodeStatus(Buffer.concat(parts))] ?? 'UNKNOWN');
      });
      stream.end(encodeRequest(service));
    });
  } finally {
    session.destroy();
    connection.destroy();
  }
}

/** Length-prefixed `HealthCheckRequest{service = 1}`. */
function encodeRequest(service: string): Buffer {
  const name = Buffer.from(service);
  const message = name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a]), varint(name.length), name]);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return Buffer.from([...bytes, rest]);
    bytes.push((rest & 0x7f) | 0x80);
  }
}

/** `HealthCheckResponse{status = 1}`; an absent field is 0. */
function decodeStatus(frame: Buffer): number {
  return frame[5] === 0x08 ? (frame[6] ?? 0) : 0;
}
