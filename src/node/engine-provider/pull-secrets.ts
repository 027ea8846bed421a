import type { Pod } from '#apis/core/v1/pod.ts';
import type { RegistryCredential } from '#apis/runtime/image-service.ts';
import { credentialsOfLogins, type RegistryLogin } from '#apis/runtime/registry-credentials.ts';
import type { PodSources } from '#node/sources.ts';

/** The registry credentials of a pod's imagePullSecrets, and the names of those that are missing or unreadable. */
export async function pullCredentials(pod: Pod, sources: PodSources): Promise<{ credentials: RegistryCredential[]; missing: string[] }> {
  const credentials: RegistryCredential[] = [];
  const missing: string[] = [];
  for (const { name } of pod.spec?.imagePullSecrets ?? []) {
    if (name === undefined || name === '') continue;
    const secret = await sources.secret(pod.metadata.namespace ?? '', name);
    const found = secret === undefined ? undefined : credentialsOf(secret.data ?? {});
    if (found === undefined) missing.push(name);
    else credentials.push(...found);
  }
  return { credentials, missing };
}

/** Reads `.dockerconfigjson` (`{auths: …}`) or the older `.dockercfg`; undefined when it holds neither. */
export function credentialsOf(data: Readonly<Record<string, string>>): RegistryCredential[] | undefined {
  const text = data['.dockerconfigjson'] ?? data['.dockercfg'];
  if (text === undefined) return undefined;
  try {
    const parsed = JSON.parse(Buffer.from(text, 'base64').toString()) as { auths?: Record<string, RegistryLogin> };
    return credentialsOfLogins(data['.dockerconfigjson'] === undefined ? (parsed as Record<string, RegistryLogin>) : (parsed.auths ?? {}));
  } catch {
    return undefined;
  }
}
