import { rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { UserError } from '#core/errors.ts';
import type { ProcessHello } from '#platform/process-config.ts';

const maxMessageBytes = 64 * 1024;

/** A request to a running supervisor; one JSON line each way. */
export type SupervisorRequest = { readonly command: 'status' } | { readonly command: 'down' } | { readonly command: 'restart-gateway' };

/** What the supervisor does with those who call. */
export interface SupervisorCalls {
  answer(request: SupervisorRequest): Promise<unknown>;
  /** One of the platform's own processes has come and stays connected: FromProcess lines one way, ToProcess lines the other. */
  attach(hello: ProcessHello, socket: Socket): void;
}

/**
 * Listens on the supervisor's socket, which is at the same time the lock of the data directory: whoever listens owns it.
 * Throws UserError when another supervisor does.
 */
export async function listen(path: string, dataDir: string, calls: SupervisorCalls): Promise<Server> {
  const server = createServer((socket) => serve(socket, calls));
  if (await tryListen(server, path)) return server;
  if ((await ask(path, { command: 'status' })) !== undefined) {
    throw new UserError(`a platform is already running on ${dataDir}`, {
      hint: 'See it with "dormouse status", stop it with "dormouse down", or give another --data-dir.',
    });
  }
  rmSync(path, { force: true });
  if (await tryListen(server, path)) return server;
  throw new UserError(`cannot listen on ${path}`, { hint: 'Is the directory writable?' });
}

/** The answer of the supervisor behind `path`, or undefined when none is running or it ended before it could answer. Rejects with what it refuses. */
export function ask(path: string, request: SupervisorRequest, timeoutMs = 60_000): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error('the platform did not answer in time')));
    socket.once('connect', () => socket.write(`${JSON.stringify(request)}\n`));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE'].includes(error.code ?? '')) resolve(undefined);
      else reject(error);
    });
    readLine(socket, (line) => {
      socket.end();
      const answer: { readonly error?: string } | undefined = parsed(line);
      if (answer === undefined) reject(new Error('the platform gave an answer that is not JSON'));
      else if (answer.error !== undefined) reject(new UserError(`the platform failed at "${request.command}": ${answer.error}`));
      else resolve(answer);
    });
    socket.once('close', () => resolve(undefined));
  });
}

function serve(socket: Socket, calls: SupervisorCalls): void {
  socket.on('error', () => socket.destroy());
  readLine(socket, (line) => {
    const request = parsed(line) as SupervisorRequest | ProcessHello | undefined;
    if (request === undefined) {
      // Whoever it is does not belong here, and is no reason to end.
      socket.destroy();
      return;
    }
    if (request.command === 'attach') {
      calls.attach(request, socket);
      return;
    }
    calls.answer(request).then(
      (result) => socket.end(`${JSON.stringify(result ?? {})}\n`),
      (error: unknown) => socket.end(`${JSON.stringify({ error: (error as Error).message })}\n`),
    );
  });
}

/** An object of JSON; undefined for anything else. */
function parsed(line: string): object | undefined {
  try {
    const value = JSON.parse(line) as unknown;
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Calls back with each further line of a connection. */
export function onLines(socket: Socket, heard: (line: string) => void): void {
  let text = '';
  socket.on('data', (chunk) => {
    const parts = (text + String(chunk)).split('\n');
    text = parts.pop() ?? '';
    if (text.length > maxMessageBytes) socket.destroy();
    for (const part of parts) if (part !== '') heard(part);
  });
}

function readLine(socket: Socket, done: (line: string) => void): void {
  let text = '';
  socket.setEncoding('utf8');
  const onData = (chunk: string) => {
    text += chunk;
    const end = text.indexOf('\n');
    if (end >= 0) {
      socket.off('data', onData);
      // A process that is ready at once says so in the same packet as its hello.
      if (text.length > end + 1) socket.unshift(text.slice(end + 1), 'utf8');
      done(text.slice(0, end));
    } else if (text.length > maxMessageBytes) socket.destroy();
  };
  socket.on('data', onData);
}

function tryListen(server: Server, path: string): Promise<boolean> {
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(path, () => resolve(true));
  });
}
