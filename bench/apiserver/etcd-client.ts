import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { connect, constants } from 'node:http2';
import type { ClientHttp2Session } from 'node:http2';

/** Whether an etcd to compare with is installed. */
export function hasEtcd(): boolean {
  return spawnSync('etcd', ['--version']).status === 0;
}

/**
 * An etcd of its own on loopback, and a minimal gRPC client for it (one HTTP/2 connection, messages encoded by hand, so that
 * little but etcd is measured). Messages: etcd's `rpc.proto`, KV service.
 */
export class Etcd implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #session: ClientHttp2Session;

  static async start(dataDirectory: string): Promise<Etcd> {
    const [client, peer] = [await freePort(), await freePort()];
    const urls = (port: number) => `http://127.0.0.1:${port}`;
    const args = ['--data-dir', dataDirectory, '--logger', 'zap', '--log-level', 'error'];
    args.push('--listen-client-urls', urls(client), '--advertise-client-urls', urls(client));
    args.push('--listen-peer-urls', urls(peer), '--initial-advertise-peer-urls', urls(peer), '--initial-cluster', `default=${urls(peer)}`);
    const process_ = spawn('etcd', args, { stdio: ['ignore', 'ignore', 'inherit'] });
    for (let tries = 0; ; tries++) {
      try {
        if ((await fetch(`${urls(client)}/health`)).ok) break;
      } catch (error) {
        if (tries > 100) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return new Etcd(process_, connect(urls(client), { settings: { initialWindowSize: 16 * 2 ** 20 } }));
  }

  private constructor(process_: ChildProcess, session: ClientHttp2Session) {
    this.#process = process_;
    this.#session = session;
    session.on('connect', () => session.setLocalWindowSize(64 * 2 ** 20));
    process.once('exit', () => process_.kill('SIGKILL'));
  }

  /** PutRequest: 1 key, 2 value. */
  async put(key: string, value: Uint8Array): Promise<void> {
    await this.#call('Put', Buffer.concat([field(1, Buffer.from(key)), field(2, value)]));
  }

  /** RangeRequest: 1 key, 2 range_end, 7 serializable (read without asking the quorum, as a cache would). Returns the answer's size. */
  async range(key: string, end?: string): Promise<number> {
    const parts = [field(1, Buffer.from(key)), ...(end === undefined ? [] : [field(2, Buffer.from(end))]), Buffer.from([7 << 3, 1])];
    return (await this.#call('Range', Buffer.concat(parts))).length;
  }

  /** CPU seconds etcd has used. */
  cpuSeconds(): number {
    const fields = readFileSync(`/proc/${this.#process.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return (Number(fields[11]) + Number(fields[12])) / 100;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#session.destroy();
    const exited = new Promise((resolve) => this.#process.on('exit', resolve));
    this.#process.kill('SIGKILL');
    await exited;
  }

  #call(method: string, message: Uint8Array): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const stream = this.#session.request({
        [constants.HTTP2_HEADER_METHOD]: 'POST',
        [constants.HTTP2_HEADER_PATH]: `/etcdserverpb.KV/${method}`,
        'content-type': 'application/grpc',
        te: 'trailers',
      });
      const chunks: Buffer[] = [];
      let status: unknown;
      stream.on('response', (headers) => (status = headers['grpc-status']));
      stream.on('trailers', (trailers) => (status = trailers['grpc-status']));
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('error', reject);
      stream.on('end', () =>
        status === '0' ? resolve(Buffer.concat(chunks)) : reject(new Error(`etcd ${method}: gRPC status ${String(status)}`)),
      );
      const head = Buffer.alloc(5);
      head.writeUInt32BE(message.length, 1);
      stream.end(Buffer.concat([head, message]));
    });
  }
}

/** A length-delimited protobuf field. */
function field(number: number, bytes: Uint8Array): Buffer {
  const head = [(number << 3) | 2];
  let length = bytes.length;
  for (; length > 0x7f; length >>>= 7) head.push((length & 0x7f) | 0x80);
  return Buffer.concat([Buffer.from([...head, length]), bytes]);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
