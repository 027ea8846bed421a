import { connect, createServer, type ClientHttp2Session, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { TestUpstream } from '#gateway/testing/upstream.ts';

/** A container for tests that speaks HTTP/2 alone, by prior knowledge. */
export async function h2cUpstream(
  handler: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void,
): Promise<TestUpstream & { goaway(): void }> {
  const server = createServer();
  const sessions = new Set<{ close(): void; destroy(): void }>();
  let connections = 0;
  server.on('session', (session) => {
    connections++;
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
  });
  server.on('sessionError', () => {});
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    handler(stream, headers);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => connections,
    goaway() {
      for (const session of sessions) session.close();
    },
    async [Symbol.asyncDispose]() {
      for (const session of sessions) session.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** What a client got for one request. */
export interface Http2Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
  readonly body: string;
  /** Code of a reset; 0: none. */
  readonly reset: number;
}

/** A client that speaks HTTP/2 from the first byte. */
export class Http2TestClient implements Disposable {
  readonly session: ClientHttp2Session;
  goaways = 0;

  constructor(port: number, options: Parameters<typeof connect>[1] = {}) {
    this.session = connect(`http://127.0.0.1:${port}`, options);
    this.session.on('error', () => {});
    this.session.on('goaway', () => this.goaways++);
  }

  /** Sends one request; resolves when its stream is over. */
  async ask(path: string, more: Record<string, string> = {}, content?: Buffer | string): Promise<Http2Answer> {
    const headers = { ':path': path, ':authority': 'app.test', ':method': content === undefined ? 'GET' : 'POST', ...more };
    const stream = this.session.request(headers, { endStream: content === undefined });
    if (content !== undefined) stream.end(content);
    const parts: Buffer[] = [];
    let answer = { status: 0, headers: {}, trailers: {} };
    stream.on('response', (fields) => (answer = { ...answer, status: fields[':status'] ?? 0, headers: fields }));
    stream.on('trailers', (trailers) => (answer = { ...answer, trailers }));
    stream.on('data', (part: Buffer) => parts.push(part));
    stream.on('error', () => {});
    await new Promise((resolve) => stream.once('close', resolve));
    return { ...answer, body: Buffer.concat(parts).toString(), reset: stream.rstCode ?? 0 };
  }

  [Symbol.dispose](): void {
    this.session.destroy();
  }
}
