import { closeSync, constants, openSync, readSync } from 'node:fs';
import { Socket } from 'node:net';

/**
 * Reads a named pipe that somebody else holds open. `drain` takes out what is in it at that moment: called when the writers are gone it makes
 * the output complete. No thread of the pool waits in it: the pipe is polled by the event loop.
 */
export class PipeReader {
  readonly #path: string;
  readonly #consume: (chunk: Buffer) => void;
  #socket: Socket | undefined;

  constructor(path: string, consume: (chunk: Buffer) => void) {
    this.#path = path;
    this.#consume = consume;
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    this.#socket = new Socket({ fd, readable: true, writable: false });
    this.#socket.on('data', consume);
    this.#socket.on('error', () => {});
  }

  /** Stops reading; what is in the pipe stays there. */
  close(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  /** Takes out everything that is in the pipe now, and closes. */
  drain(): void {
    this.close();
    const fd = openSync(this.#path, constants.O_RDONLY | constants.O_NONBLOCK);
    const buffer = Buffer.allocUnsafe(65_536);
    try {
      for (;;) {
        const length = readSync(fd, buffer);
        if (length === 0) return;
        this.#consume(Buffer.from(buffer.subarray(0, length)));
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    } finally {
      closeSync(fd);
    }
  }
}
