import type { Pod } from '#apis/core/v1/pod.ts';
import type { RegistryCredential } from '#apis/runtime/image-service.ts';
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

interface DockerAuth {
  readonly auth?: string;
  readonly username?: string;
  readonly password?: string;
}

/** Reads `.dockerconfigjson` (`{auths: …}`) or the older `.dockercfg`; undefined when it holds neither. */
export function credentialsOf(data: Readonly<Record<string, string>>): RegistryCredential[] | undefined {
  const text = data['.dockerconfigjson'] ?? data['.dockercfg'];
  if (text === undefined) return undefined;
  try {
    const parsed = JSON.parse(Buffer.from(text, 'base64').toString()) as { auths?: Record<string, DockerAuth> };
    const auths = data['.dockerconfigjson'] === undefined ? (parsed as Record<string, DockerAuth>) : (parsed.auths ?? {});
    return Object.entries(auths).map(([registry, auth]) => ({ registry: hostOf(registry), ...userOf(auth) }));
  } catch {
    return undefined;
  }
}

function userOf(auth: DockerAuth): { username: string; password: string } {
  if (auth.username !== undefined && auth.username !== '') return { username: auth.username, password: auth.password ?? '' };
  const pair = Buffer.from(auth.auth ?? '', 'base64').toString();
  const colon = pair.indexOf(':');
  return colon < 0 ? { username: pair, password: '' } : { username: pair.slice(0, colon), password: pair.slice(colon + 1) };
}

/** `https://index.docker.io/v1/` and `localhost:5000/path` name the hosts `index.docker.io` and `localhost:5000`. */
function hostOf(registry: string): string {
  return registry.replace(/^https?:\/\//, '').split('/')[0] ?? registry;
}
