import { spawn } from 'node:child_process';
import { services } from '#apis/serving/v1/kinds.ts';
import { UserError } from '#core/errors.ts';
import { connect } from '#cli/api.ts';
import { flagOption, type Invocation } from '#cli/command.ts';

/** `dormouse open SERVICE`: prints the URL and opens it in a browser where there is one. */
export async function openService(invocation: Invocation): Promise<number> {
  const { client, namespace } = await connect(invocation);
  const [name = ''] = invocation.positionals;
  const { status } = await client.of(services).get(namespace, name);
  if (status?.url === undefined)
    throw new UserError(`service ${name} has no URL yet`, { hint: `See why: dormouse services -n ${namespace}` });
  invocation.stdout.write(`${status.url}\n`);
  const hasDisplay =
    process.platform === 'darwin' || (invocation.environment['DISPLAY'] ?? invocation.environment['WAYLAND_DISPLAY']) !== undefined;
  if (!hasDisplay || flagOption(invocation, 'url-only')) return 0;
  const opener = spawn(process.platform === 'darwin' ? 'open' : 'xdg-open', [status.url], { stdio: 'ignore', detached: true });
  opener.on('error', () => {});
  opener.unref();
  return 0;
}
