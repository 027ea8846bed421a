import type { Invocation } from '#cli/command.ts';
import { layoutFor, requireRunning } from '#cli/platform.ts';
import { UserError } from '#core/errors.ts';
import { ask } from '#platform/supervisor/socket.ts';

/** `dormouse restart-gateway`: the new process serves the same sockets before the old one stops accepting. */
export async function restartGateway(invocation: Invocation): Promise<number> {
  const layout = await layoutFor(invocation);
  await requireRunning(layout);
  if ((await ask(layout.supervisorSocket, { command: 'restart-gateway' })) === undefined)
    throw new UserError('the platform ended before the gateway was replaced', { hint: 'Start it with "dormouse up".' });
  invocation.stdout.write('The gateway has been replaced.\n');
  return 0;
}
