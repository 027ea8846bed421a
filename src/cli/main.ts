import { rootCommand } from '#cli/root.ts';
import { runCommand } from '#cli/run-command.ts';
import { withSystemDirectories } from '#core/system-path.ts';

// Inherited by everything the platform starts.
process.env['PATH'] = withSystemDirectories(process.env['PATH']);

// Ctrl-C may arrive twice (process group, and the launcher that passes it on): only one that comes later means "now".
const repeatAfterMs = 1000;
const controller = new AbortController();
let abortedAt = 0;
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(name, () => {
    if (controller.signal.aborted && performance.now() - abortedAt > repeatAfterMs) process.exit(130);
    if (controller.signal.aborted) return;
    abortedAt = performance.now();
    controller.abort(new Error(name));
  });
}
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
});
process.exitCode = await runCommand(rootCommand, process.argv.slice(2), {
  environment: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
  signal: controller.signal,
});
// Sockets of the platform's own client may still idle: the command is done.
process.exit();
