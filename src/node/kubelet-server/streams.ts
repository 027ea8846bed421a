import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { StreamIo } from '#apis/runtime/engine.ts';
import { errorText } from '#core/errors.ts';
import type { Logger } from '#core/logger.ts';
import { ProviderError, type PortStream, type Provider } from '#node/provider.ts';
import { negotiatePortForward } from '#wire/port-forward.ts';
import { negotiateRemoteCommand, type WantedStreams } from '#wire/remote-command.ts';
import type { UpgradeHeaders } from '#wire/upgrade.ts';

export interface UpgradeRequest {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
  /** `exec`, `attach` or `portForward`. */
  readonly kind: string;
  readonly uid: string;
  readonly container: string;
  readonly query: URLSearchParams;
  readonly provider: Provider;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/**
 * Serves exec, attach and port-forward over WebSocket or SPDY; resolves when the stream has ended. Throws before anything
 * has been answered: ProviderError or UpgradeError.
 */
export async function serveUpgrade(upgrade: UpgradeRequest): Promise<void> {
  if (upgrade.kind === 'portForward') return servePortForward(upgrade);
  if (upgrade.kind === 'exec' || upgrade.kind === 'attach') return serveCommand(upgrade);
  throw new ProviderError('NotFound', '404 page not found');
}

async function serveCommand(upgrade: UpgradeRequest): Promise<void> {
  const { provider, query, kind, uid, container, request, socket, head } = upgrade;
  const wanted = wantedStreams(query);
  const command = query.getAll('command');
  if (kind === 'exec' && command.length === 0) throw new ProviderError('InvalidInput', 'you must specify a command');
  const ref = { uid, container };
  const streams = await negotiateRemoteCommand(headersOf(request)).accept(socket, head, wanted);
  const io: StreamIo = {
    tty: wanted.tty,
    ...(streams.stdin === undefined ? {} : { stdin: streams.stdin }),
    ...(streams.stdout === undefined ? {} : { stdout: streams.stdout }),
    ...(streams.stderr === undefined ? {} : { stderr: streams.stderr }),
    ...(wanted.tty ? { resize: (listener) => streams.resize(listener) } : {}),
    signal: AbortSignal.any([streams.signal, upgrade.signal]),
  };
  await streams.sendStatus(await runToStatus(() => start(provider, kind, ref, io, command)));
}

async function start(
  provider: Provider,
  kind: string,
  ref: { uid: string; container: string },
  io: StreamIo,
  command: readonly string[],
): Promise<number> {
  if (kind === 'exec') {
    if (provider.runInContainer === undefined) throw new ProviderError('NotSupported', 'this node cannot run commands in containers');
    return provider.runInContainer(ref, io, command);
  }
  if (provider.attachToContainer === undefined) throw new ProviderError('NotSupported', 'this node cannot attach to containers');
  await provider.attachToContainer(ref, io);
  return 0;
}

/** The metav1.Status that ends a command's stream; kubectl reads the exit code from its causes. */
async function runToStatus(run: () => Promise<number>): Promise<object> {
  try {
    const exitCode = await run();
    if (exitCode === 0) return { metadata: {}, status: 'Success' };
    return {
      metadata: {},
      status: 'Failure',
      reason: 'NonZeroExitCode',
      message: `command terminated with non-zero exit code: exit status ${exitCode}`,
      details: { causes: [{ reason: 'ExitCode', message: String(exitCode) }] },
    };
  } catch (error) {
    return { metadata: {}, status: 'Failure', reason: 'InternalError', message: errorText(error), code: 500 };
  }
}

/** kubelet's names for the streams (`input`, `output`, `error`), and kubectl's. */
function wantedStreams(query: URLSearchParams): WantedStreams {
  const has = (...names: readonly string[]) => names.some((name) => ['1', 'true'].includes(query.get(name) ?? ''));
  const tty = has('tty');
  const wanted = { stdin: has('input', 'stdin'), stdout: has('output', 'stdout'), stderr: has('error', 'stderr') && !tty, tty };
  if (!wanted.stdin && !wanted.stdout && !wanted.stderr) {
    throw new ProviderError('InvalidInput', 'you must specify at least 1 of stdin, stdout, stderr');
  }
  return wanted;
}

async function servePortForward(upgrade: UpgradeRequest): Promise<void> {
  const { provider, uid, request, socket, head, logger, signal } = upgrade;
  if (provider.portForward === undefined) throw new ProviderError('NotSupported', 'this node cannot forward ports');
  await negotiatePortForward(headersOf(request)).accept(socket, head, (port, connection) => {
    forward(provider, uid, port, connection, signal).catch((error: unknown) => {
      logger.debug('port-forward connection failed', { uid, port, error });
      connection.destroy(error instanceof Error ? error : new Error(String(error)));
    });
  });
}

async function forward(provider: Provider, uid: string, port: number, connection: Duplex, signal: AbortSignal): Promise<void> {
  const gone = new AbortController();
  connection.once('close', () => gone.abort());
  let target: PortStream | undefined;
  try {
    target = await provider.portForward?.(uid, port, AbortSignal.any([signal, gone.signal]));
  } catch (error) {
    throw new Error(`unable to do port forwarding: failed to connect to port ${port} inside the pod: ${errorText(error)}`, {
      cause: error,
    });
  }
  if (target === undefined) return;
  await carry(connection, target).finally(() => target.destroy());
}

/**
 * Passes bytes both ways until the pod's side has said all it has to say, or the client is gone. A target that takes nothing
 * any more may still answer, so the way in fails by itself (a pipeline would tear the way out down with it).
 */
async function carry(connection: Duplex, { readable, writable }: PortStream): Promise<void> {
  writable.on('error', () => connection.unpipe(writable));
  writable.once('close', () => {
    connection.unpipe(writable);
    connection.resume();
  });
  connection.pipe(writable);
  await pipeline(readable, connection, { end: true });
}

function headersOf(request: IncomingMessage): UpgradeHeaders {
  return Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]),
  );
}
