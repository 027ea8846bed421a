import { UserError } from '#core/errors.ts';
import type { Invocation } from '#cli/command.ts';
import { completionScript, shells } from '#cli/completion.ts';
import { rootCommand } from '#cli/root.ts';

/** `dormouse completion SHELL`: the script, to be sourced. */
export function completion({ positionals, stdout }: Invocation): Promise<void> {
  const shell = shells.find((one) => one === positionals[0]);
  if (shell === undefined) {
    return Promise.reject(
      new UserError(`there is no completion for ${JSON.stringify(positionals[0])}`, { hint: `Shells: ${shells.join(', ')}` }),
    );
  }
  stdout.write(completionScript(rootCommand, shell));
  return Promise.resolve();
}
