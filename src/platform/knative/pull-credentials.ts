import type { LocalObjectReference } from '#apis/core/v1/references.ts';
import { secrets, type Secret } from '#apis/core/v1/secret.ts';
import { serviceAccounts } from '#apis/core/v1/service-account.ts';
import { ifThere } from '#apis/meta/status.ts';
import type { RegistryCredential } from '#apis/runtime/image-service.ts';
import type { Client } from '#client/client.ts';
import { credentialsOf } from '#node/engine-provider/pull-secrets.ts';

/** Whose pull secrets are meant. */
export interface PullIdentity {
  readonly namespace: string;
  readonly serviceAccountName?: string | undefined;
  readonly imagePullSecrets?: readonly LocalObjectReference[] | undefined;
}

/** The registry credentials of the named pull secrets, and of those the service account (`default` where none is named) has. */
export async function pullCredentials(
  client: Client,
  { namespace, serviceAccountName, imagePullSecrets = [] }: PullIdentity,
): Promise<readonly RegistryCredential[]> {
  const account = await ifThere(client.of(serviceAccounts).get(namespace, serviceAccountName || 'default'));
  const names = [...imagePullSecrets, ...(account?.imagePullSecrets ?? [])].flatMap(({ name = '' }) => (name === '' ? [] : [name]));
  // A secret that is not there (yet) is none: the registry says whether it was needed.
  const found = await Promise.all([...new Set(names)].map((name) => ifThere(client.of(secrets).get(namespace, name))));
  return found.filter((secret): secret is Secret => secret !== undefined).flatMap((secret) => credentialsOf(secret.data ?? {}) ?? []);
}
