import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { UserError, errorText } from '#core/errors.ts';
import { flagOption, type Invocation } from '#cli/command.ts';
import { layoutFor } from '#cli/platform.ts';
import type { Layout } from '#platform/layout.ts';
import { ask } from '#platform/supervisor/socket.ts';

/** `dormouse reset`: asks first, unless told not to. Refuses a directory that is not a platform's. */
export async function reset(invocation: Invocation): Promise<number> {
  const layout = await layoutFor(invocation);
  if (!existsSync(layout.dataDir)) {
    invocation.stdout.write(`There is no data in ${layout.dataDir}.\n`);
    return 0;
  }
  if (!existsSync(layout.versionFile)) {
    throw new UserError(`${layout.dataDir} does not look like a platform's data directory (no file "version")`, {
      hint: 'Nothing was deleted.',
    });
  }
  if (!flagOption(invocation, 'yes') && !(await confirmed(`Delete everything in ${layout.dataDir}? [y/N] `))) {
    invocation.stdout.write('Nothing was deleted.\n');
    return 1;
  }
  await stopped(layout);
  const { removeDirectory } = await import('#providers/local/rootless/enter.ts');
  await removeDirectory(layout.dataDir);
  await removeDirectory(layout.runDir);
  invocation.stdout.write(`Deleted ${layout.dataDir}.\n`);
  return 0;
}

/** Nothing is deleted under a platform that runs: whoever answers is asked to stop until nobody answers. */
async function stopped({ dataDir, supervisorSocket }: Layout): Promise<void> {
  for (let asked = 0; asked < 10; asked += 1) {
    const answer = await ask(supervisorSocket, { command: 'down' }, 120_000).catch((error: unknown) => {
      throw new UserError(`the platform on ${dataDir} could not be stopped: ${errorText(error)}`, {
        hint: 'Nothing was deleted.',
        cause: error,
      });
    });
    if (answer === undefined && (await ask(supervisorSocket, { command: 'status' })) === undefined) return;
  }
  throw new UserError(`the platform on ${dataDir} does not stop`, {
    hint: 'Nothing was deleted. Stop it where it was started, then try again.',
  });
}

async function confirmed(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) throw new UserError('reset needs a confirmation', { hint: 'Give --yes when no terminal is there.' });
  const prompt = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await prompt.question(question);
  prompt.close();
  return /^y(es)?$/i.test(answer.trim());
}
