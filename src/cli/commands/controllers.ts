import { existsSync } from 'node:fs';
import { inCluster } from '#client/in-cluster.ts';
import { connectionOf, kubeconfigPaths, loadKubeconfig } from '#client/kubeconfig.ts';
import type { HttpsTransportOptions } from '#client/https-transport.ts';
import { resolveConfig } from '#core/config.ts';
import { UserError } from '#core/errors.ts';
import { jsonLogger, writeLogLine } from '#core/logger.ts';
import { textOption, type Invocation } from '#cli/command.ts';
import { runKnativeControllers } from '#platform/knative/process.ts';
import { settings } from '#platform/settings.ts';

/** `dormouse controllers`: Knative's controllers as a process of their own. */
export async function controllers(invocation: Invocation): Promise<number> {
  const { options, environment, signal } = invocation;
  const connection = connectionFor(invocation);
  const { logLevel } = resolveConfig({ logLevel: settings.logLevel }, { flags: options, environment, file: {} }).values;
  const logger = jsonLogger(writeLogLine, logLevel, { component: 'controllers' });
  const metricsAddress = textOption({ options }, 'metrics-address');
  await runKnativeControllers(connection, { logger, signal, ...(metricsAddress === undefined ? {} : { metricsAddress }) });
  return 0;
}

/** As kubectl looks for it: the flag, KUBECONFIG, the pod's own account, the file in the home directory. */
function connectionFor({ options, environment }: Invocation): HttpsTransportOptions {
  const file = textOption({ options }, 'kubeconfig');
  if (file !== undefined && !existsSync(file)) throw new UserError(`there is no kubeconfig ${file}`);
  const named = file !== undefined || (environment['KUBECONFIG'] ?? '') !== '';
  if (!named && environment['KUBERNETES_SERVICE_HOST'] !== undefined) return inCluster(environment).connection;
  const paths = file === undefined ? kubeconfigPaths(environment) : [file];
  if (!paths.some((path) => existsSync(path))) {
    throw new UserError(`there is no kubeconfig (looked for ${paths.join(', ')})`, { hint: 'Name one with --kubeconfig FILE.' });
  }
  return connectionOf(loadKubeconfig(paths), textOption({ options }, 'context')).connection;
}
