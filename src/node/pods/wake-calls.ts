import { maxStatsLineBytes, statsPath, type StatsFrame } from '#apis/dormouse/stats.ts';
import type { Client } from '#client/client.ts';
import { keepStream, streamLines } from '#client/keep-stream.ts';
import type { Clock } from '#core/clock.ts';
import type { Logger } from '#core/logger.ts';

/**
 * Listens for gateways that have given requests to frozen pods, until the signal aborts. Saves those requests the way by the
 * autoscaler and the pod's annotation, which is written all the same. Never rejects.
 */
export function followWakeCalls(
  {
    client,
    clock,
    logger,
    wake,
  }: { readonly client: Client; readonly clock: Clock; readonly logger: Logger; readonly wake: (podKey: string) => void },
  signal: AbortSignal,
): Promise<void> {
  const request = { method: 'GET', path: statsPath, query: { watch: 'true', pokes: 'true' }, signal };
  return keepStream({ what: 'wake calls', clock, logger }, signal, async () => {
    for await (const line of streamLines(client, request, maxStatsLineBytes)) {
      const frame = line as StatsFrame;
      if (frame.type === 'said' && frame.message.type === 'poke') frame.message.frozen?.forEach(wake);
    }
  });
}
