import { secrets, type Secret } from '#apis/core/v1/secret.ts';
import { serviceAccounts } from '#apis/core/v1/service-account.ts';
import { isReason } from '#apis/meta/status.ts';
import type { RegistryCredential } from '#apis/runtime/image-service.ts';
import type { Revision } from '#apis/serving/v1/schemas.ts';
import type { Client } from '#client/client.ts';
import { ImageClient } from '#images/remote.ts';
import { credentialsOf } from '#node/engine-provider/pull-secrets.ts';
import { imageToken } from '#platform/image-token.ts';
import { localHost } from '#platform/local-host.ts';
import type { ProcessConfig } from '#platform/process-config.ts';
import type { CredentialSource, ImageResolver } from '#serving/revision/digests.ts';

/** Resolves tags through the node's image store: a name tagged there wins, otherwise its registry is asked. */
export function imageResolver({ layout, settings, ports }: ProcessConfig): ImageResolver {
  const images = new ImageClient({ url: `http://${localHost(settings.listen)}:${ports.registryPort}`, token: () => imageToken(layout) });
  return { resolve: (reference, credentials, signal) => images.resolve(reference, credentials, signal) };
}

/** Pull secrets a revision names itself, and those of its service account. */
export function pullCredentials(client: Client): CredentialSource {
  return async (revision: Revision): Promise<readonly RegistryCredential[]> => {
    const { namespace = '' } = revision.metadata;
    const account = await orNothing(client.of(serviceAccounts).get(namespace, revision.spec?.serviceAccountName ?? 'default'));
    const names = [...(revision.spec?.imagePullSecrets ?? []), ...(account?.imagePullSecrets ?? [])].map(({ name = '' }) => name);
    const found = await Promise.all([...new Set(names)].map((name) => orNothing(client.of(secrets).get(namespace, name))));
    return found.filter((secret): secret is Secret => secret !== undefined).flatMap((secret) => credentialsOf(secret.data ?? {}) ?? []);
  };
}

/** A secret that is not there (yet) is none: the registry says whether it was needed. */
async function orNothing<T>(lookup: Promise<T>): Promise<T | undefined> {
  try {
    return await lookup;
  } catch (error) {
    if (isReason(error, 'NotFound')) return undefined;
    throw error;
  }
}
