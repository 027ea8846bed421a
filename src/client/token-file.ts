import { readFileSync } from 'node:fs';
import { systemClock, type Clock } from '#core/clock.ts';

const rereadMs = 60_000;

/**
 * The token in a file, read again every minute: kubelets and others rotate it in place. A file that cannot be read for the moment
 * leaves the last token in use; the first read throws.
 */
export function tokenFile(path: string, clock: Clock = systemClock): () => string {
  let token = readFileSync(path, 'utf8').trim();
  let readMs = clock.monotonic();
  return () => {
    if (clock.monotonic() - readMs < rereadMs) return token;
    readMs = clock.monotonic();
    try {
      token = readFileSync(path, 'utf8').trim() || token;
    } catch {
      // Being replaced right now; the server refuses the old one soon enough if it matters.
    }
    return token;
  };
}
