import { errorText } from '#core/errors.ts';
import type { Logger } from '#core/logger.ts';
import { netTransport } from '#gateway/transport/net.ts';
import { rawTransport } from '#gateway/transport/raw.ts';
import type { Transport, Wire } from '#gateway/transport/transport.ts';

/**
 * The transport to use: the one asked for, or with `auto` the raw one if it really carries bytes both ways on this Node and
 * platform, else node:net. The trial is one loopback connection and takes about a millisecond.
 */
export async function selectTransport(wanted: 'auto' | 'raw' | 'net', logger: Logger): Promise<Transport> {
  if (wanted === 'net') return netTransport(logger);
  try {
    const raw = rawTransport(logger);
    await tryOut(raw);
    return raw;
  } catch (error) {
    if (wanted === 'raw') throw error;
    logger.warn('raw transport is not usable here, node:net serves instead', { reason: errorText(error) });
    return netTransport(logger);
  }
}

async function tryOut(transport: Transport): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => reject(new Error('no answer within a second')), 1000);
  const closers: (() => void)[] = [];
  const echo = (wire: Wire) => {
    closers.push(() => wire.close());
    wire.owner = {
      onData: (bytes, start, end) => void wire.write(bytes.subarray(start, end)),
      onDrain: () => {},
      onWriteFailed: () => wire.close(),
      onEnd: () => wire.close(),
    };
    wire.resume();
  };
  const listener = await transport.listen({ port: 0 }, { wire: echo, http2: (socket) => socket.destroy() });
  closers.push(
    transport.connect({ host: listener.host, port: listener.port }, (wire) => {
      if (wire === undefined) return reject(new Error('cannot connect'));
      closers.push(() => wire.close());
      wire.owner = {
        onData: (bytes, start, end) => (bytes.toString('latin1', start, end) === 'echo' ? resolve() : reject(new Error('wrong echo'))),
        onDrain: () => {},
        onWriteFailed: () => reject(new Error('write failed')),
        onEnd: () => reject(new Error('connection ended')),
      };
      wire.resume();
      wire.write(Buffer.from('echo'));
    }),
  );
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    for (const close of closers) close();
    await listener.close();
  }
}
