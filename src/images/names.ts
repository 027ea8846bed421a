import { type ImageReference, parseImageReference } from '#apis/knative/image-reference.ts';

/** Registry part of names that belong to this platform's own registry, whatever port it listens on. */
const ownRegistry = 'localhost';

const loopback = new Set(['localhost', '127.0.0.1', '[::1]']);

/** True for hosts that Docker and containerd talk plain HTTP to. */
export function isLoopbackRegistry(registry: string): boolean {
  return loopback.has(registry.replace(/:\d+$/, '')) || /^127\.\d+\.\d+\.\d+(:\d+)?$/.test(registry);
}

/** A reference as the store knows it. */
export interface StoreName {
  /** `registry/repository`, one form for each repository: `index.docker.io/library/nginx`, `localhost/hello`. */
  readonly repository: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

/**
 * The store's name of a reference. `localhost:<port>/x`, for every port that is or was the platform's own registry's, is in it; there
 * a path that begins with a host (`localhost:5000/gcr.io/a/b`) is that host's name, so that pushing it makes `gcr.io/a/b` usable
 * without its registry. Throws where the reference cannot be parsed.
 */
export function storeName(reference: string, ownPorts: readonly number[]): StoreName {
  const parsed = parseImageReference(reference);
  return { repository: repositoryName(parsed, ownPorts), tag: parsed.tag, digest: parsed.digest };
}

function repositoryName({ registry, repository }: ImageReference, ownPorts: readonly number[]): string {
  const own = registry === ownRegistry || (isLoopbackRegistry(registry) && ownPorts.includes(Number(registry.split(':').at(-1))));
  return own ? ownRepositoryName(repository) : `${registry}/${repository}`;
}

/** The store's name of a repository path in the platform's own registry. */
export function ownRepositoryName(path: string): string {
  const [first = '', ...rest] = path.split('/');
  if (rest.length === 0 || !(first.includes('.') || first === ownRegistry)) return `${ownRegistry}/${path}`;
  if (first === 'docker.io' || first === 'index.docker.io') {
    return `index.docker.io/${rest.length === 1 ? `library/${rest[0]}` : rest.join('/')}`;
  }
  return path;
}

/** The inverse: the path under which the platform's own registry offers a repository of the store. */
export function ownRegistryPath(repository: string): string {
  return repository.startsWith(`${ownRegistry}/`) ? repository.slice(ownRegistry.length + 1) : repository;
}

/** A repository of the store as people write it: `nginx`, `gcr.io/a/b`, `localhost:5000/hello`. */
export function familiarRepository(repository: string, ownPort: number | undefined): string {
  if (repository.startsWith('index.docker.io/library/')) return repository.slice('index.docker.io/library/'.length);
  if (repository.startsWith('index.docker.io/')) return repository.slice('index.docker.io/'.length);
  const path = ownRegistryPath(repository);
  return path === repository || ownPort === undefined ? repository : `${ownRegistry}:${ownPort}/${path}`;
}

/** What a reference is fixed to once it is resolved: `gcr.io/a/b@sha256:…`. */
export function pinned({ registry, repository }: ImageReference, digest: string): string {
  return `${registry}/${repository}@${digest}`;
}

/** A reference written out in full as containerd does in messages: `docker.io/library/nginx:latest`. */
export function fullName(reference: ImageReference): string {
  const host = reference.registry === 'index.docker.io' ? 'docker.io' : reference.registry;
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  return `${host}/${reference.repository}${tag}${reference.digest === undefined ? '' : `@${reference.digest}`}`;
}
