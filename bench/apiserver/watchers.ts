import { connect } from 'node:tls';
import { monotonicMs } from '../support/process.ts';

/**
 * A process of watchers, started by `api.ts`. Each is a TLS connection with one watch request; what comes is searched for names and
 * not parsed, so that what is timed is the server. Sends `started` when all are being answered and, for each name, when each watcher
 * had it.
 */
export interface WatchersRequest {
  readonly watchers: number;
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly tls: { readonly ca: string; readonly cert: string; readonly key: string };
}

export interface Sighting {
  readonly name: string;
  /** Milliseconds. */
  readonly seenAt: number;
}

process.on('message', (message: WatchersRequest | 'report') => {
  if (message === 'report') process.send?.(sightings.splice(0));
  else start(message);
});
process.on('disconnect', () => process.exit());

const sightings: Sighting[] = [];

function start({ watchers, host, port, path, tls }: WatchersRequest): void {
  let answers = 0;
  for (let index = 0; index < watchers; index += 1) watchOne(() => (answers += 1) === watchers && process.send?.('started'));

  function watchOne(onAnswer: () => void): void {
    const buffer = Buffer.alloc(64 * 1024);
    let answered = false;
    // Reading into a buffer of one's own: Node has it, its types do not.
    const options = { host, port, ...tls, onread: { buffer, callback } };
    const socket = connect(options, () => socket.write(`GET ${path} HTTP/1.1\r\nhost: ${host}\r\n\r\n`));

    function callback(length: number): boolean {
      const seenAt = monotonicMs();
      if (!answered) onAnswer();
      answered = true;
      for (const [, name = ''] of buffer.toString('latin1', 0, length).matchAll(/"name":"(w-\d+)"/g)) sightings.push({ name, seenAt });
      return true;
    }
  }
}
