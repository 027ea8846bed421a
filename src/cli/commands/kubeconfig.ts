import { existsSync, readFileSync } from 'node:fs';
import { kubeconfigPaths, loadKubeconfig, mergeKubeconfig, writeKubeconfig } from '#client/kubeconfig.ts';
import { UserError } from '#core/errors.ts';
import { flagOption, type Invocation } from '#cli/command.ts';
import { layoutFor } from '#cli/platform.ts';

/** `dormouse kubeconfig [--merge]`. Merging keeps other people's entries and replaces ours. */
export async function kubeconfig(invocation: Invocation): Promise<number> {
  const layout = await layoutFor(invocation);
  if (!existsSync(layout.kubeconfig)) {
    throw new UserError(`there is no kubeconfig in ${layout.dataDir} yet`, { hint: 'Start the platform with "dormouse up".' });
  }
  if (!flagOption(invocation, 'merge')) {
    invocation.stdout.write(readFileSync(layout.kubeconfig));
    return 0;
  }
  const [target = ''] = kubeconfigPaths(invocation.environment);
  const own = loadKubeconfig([layout.kubeconfig]);
  writeKubeconfig(target, existsSync(target) ? mergeKubeconfig(loadKubeconfig([target]), own) : own);
  invocation.stdout.write(`Context "dormouse" is now the current one in ${target}.\n`);
  return 0;
}
