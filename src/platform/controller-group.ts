import type { Client } from '#client/client.ts';
import { createInformers } from '#client/informer.ts';
import type { ControllerContext, ControllerModule } from '#controller/controller.ts';
import { createEventRecorder } from '#controller/events.ts';
import { runControllers } from '#controller/runner.ts';
import { systemClock } from '#core/clock.ts';
import type { Logger } from '#core/logger.ts';
import type { Metrics } from '#core/metrics.ts';

/** Controllers that run as one component, over that component's client and informers. */
export interface ControllerGroup {
  /** As events name their source. */
  readonly component: string;
  readonly client: Client;
  readonly modules: readonly ControllerModule[];
}

/** Runs a group until the signal aborts. Rejects when its controllers cannot go on. */
export async function runGroup(
  { component, client, modules }: ControllerGroup,
  { metrics, logger, signal }: { readonly metrics: Metrics; readonly logger: Logger; readonly signal: AbortSignal },
): Promise<void> {
  await using informers = createInformers(client, { clock: systemClock, logger });
  const events = createEventRecorder({ client, component, clock: systemClock, logger });
  const context: ControllerContext = { client, informers, events, clock: systemClock, logger: logger.child({ component }) };
  await runControllers(context, modules, signal, { metrics });
}
