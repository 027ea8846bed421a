import type { Invocation } from '#cli/command.ts';
import { layoutFor } from '#cli/platform.ts';
import { ask } from '#platform/supervisor/socket.ts';

/** `dormouse down`: fine when nothing runs. */
export async function down(invocation: Invocation): Promise<number> {
  const layout = await layoutFor(invocation);
  const answer = await ask(layout.supervisorSocket, { command: 'down' }, 120_000);
  invocation.stdout.write(
    answer === undefined ? `No platform is running on ${layout.dataDir}.\n` : `Stopped. Data stays in ${layout.dataDir}.\n`,
  );
  return 0;
}
