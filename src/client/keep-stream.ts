import { isReason } from '#apis/meta/status.ts';
import type { Client } from '#client/client.ts';
import { answerFailed } from '#client/errors.ts';
import { readJsonLines } from '#client/json-lines.ts';
import type { TransportStreamRequest } from '#client/transport.ts';
import { backoffMs } from '#core/async.ts';
import { sleep, type Clock } from '#core/clock.ts';
import type { Logger } from '#core/logger.ts';

/** A stream that lasted this long was a good one: the next attempt comes at once. */
const steadyMs = 10_000;
/** A server that does not have the stream will not have it in a moment. */
const [maxWaitMs, absentWaitMs] = [2000, 60_000];

/** Carries a stream over breaks: calls `connect` again, with back-off, whenever it has ended or failed, until the signal aborts. Never rejects. */
export async function keepStream(
  { what, clock, logger }: { readonly what: string; readonly clock: Clock; readonly logger: Logger },
  signal: AbortSignal,
  connect: () => Promise<void>,
): Promise<void> {
  let failures = 0;
  while (!signal.aborted) {
    const startedMs = clock.monotonic();
    let absent = false;
    try {
      await connect();
      logger.debug('stream ended by the server', { what });
    } catch (error) {
      if (signal.aborted) return;
      absent = isReason(error, 'NotFound');
      logger.debug('stream failed', { what, error });
    }
    failures = clock.monotonic() - startedMs > steadyMs ? 0 : failures + 1;
    await sleep(clock, absent ? absentWaitMs : backoffMs(failures, 50, maxWaitMs), signal).catch(() => {});
  }
}

/** The JSON lines of a streamed answer, as they come. Rejects with the StatusError of an answer that is none. */
export async function* streamLines(client: Client, request: TransportStreamRequest, maxLineBytes: number): AsyncIterable<unknown> {
  const { status, chunks } = await client.stream(request);
  if (status !== 200) throw answerFailed(`${request.method} ${request.path}`, status, undefined);
  yield* readJsonLines(chunks, maxLineBytes);
}
