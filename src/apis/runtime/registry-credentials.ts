import type { ImageReference } from '#apis/knative/image-reference.ts';
import type { RegistryCredential } from './image-service.ts';

/** An entry of `auths` in Docker's config.json, in a pull secret, or in skopeo's and podman's auth.json. */
export interface RegistryLogin {
  /** `user:password` in base64. */
  readonly auth?: string;
  readonly username?: string;
  readonly password?: string;
  /** An OAuth refresh token, which is changed into access tokens at the registry's token service. */
  readonly identitytoken?: string;
}

/** The credentials of `auths`; an entry that holds none (its secret lies with a credential helper) is left out. */
export function credentialsOfLogins(logins: Readonly<Record<string, RegistryLogin>>): RegistryCredential[] {
  return Object.entries(logins).flatMap(([registry, login]) => {
    const { username, password } = userOf(login);
    const token = login.identitytoken ?? '';
    if (username === '' && password === '' && token === '') return [];
    return [{ registry: credentialScope(registry), username, password, ...(token === '' ? {} : { identityToken: token }) }];
  });
}

/**
 * The credentials to try for an image, the most specific first: `host/path` before `host`, a name before `*.host`. As the kubelet does it, all that
 * fit are tried; Docker Hub goes by each of its names.
 */
export function matchingCredentials(
  credentials: readonly RegistryCredential[],
  { registry, repository }: Pick<ImageReference, 'registry' | 'repository'>,
): RegistryCredential[] {
  const hosts = registry === 'index.docker.io' ? ['index.docker.io', 'docker.io', 'registry-1.docker.io'] : [registry];
  return credentials
    .map((credential) => ({ credential, scope: splitScope(credential.registry) }))
    .filter(({ scope }) => hosts.some((host) => hostFits(scope.host, host)) && pathFits(scope.path, repository))
    .toSorted(
      (a, b) => b.scope.path.length - a.scope.path.length || Number(a.scope.host.includes('*')) - Number(b.scope.host.includes('*')),
    )
    .map(({ credential }) => credential);
}

/** `https://index.docker.io/v1/` names `index.docker.io`; `gcr.io/project` stays. */
function credentialScope(registry: string): string {
  return registry
    .replace(/^https?:\/\//, '')
    .replace(/\/v[12]\/?$/, '')
    .replace(/\/+$/, '');
}

function splitScope(registry: string): { readonly host: string; readonly path: string } {
  const [host = '', ...path] = credentialScope(registry).split('/');
  return { host, path: path.join('/') };
}

/** A star stands for anything within one label; ports are part of the last one. */
function hostFits(pattern: string, host: string): boolean {
  const [wanted, given] = [pattern.split('.'), host.split('.')];
  return wanted.length === given.length && wanted.every((label, index) => labelFits(label, given[index] ?? ''));
}

function labelFits(pattern: string, label: string): boolean {
  if (!pattern.includes('*')) return pattern === label;
  const [before = '', ...others] = pattern.split('*');
  if (others.length > 1) return false;
  const [after = ''] = others;
  return label.length >= before.length + after.length && label.startsWith(before) && label.endsWith(after);
}

function pathFits(path: string, repository: string): boolean {
  return path === '' || repository === path || repository.startsWith(`${path}/`);
}

function userOf({ username = '', password = '', auth = '' }: RegistryLogin): { username: string; password: string } {
  if (username !== '') return { username, password };
  const pair = Buffer.from(auth, 'base64').toString();
  const colon = pair.indexOf(':');
  return colon < 0 ? { username: pair, password: '' } : { username: pair.slice(0, colon), password: pair.slice(colon + 1) };
}
