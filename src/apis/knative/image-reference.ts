const name = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$/;
const host = /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])(?::\d+)?$/;

/** The parts of an image reference; what is not written is filled in as Docker does (docker.io, library/, latest). */
export interface ImageReference {
  /** `index.docker.io`, `gcr.io`, `localhost:5000`. */
  readonly registry: string;
  /** Path within the registry, e.g. `library/nginx`. */
  readonly repository: string;
  /** Undefined when there is only a digest. */
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

/** Reads a reference; throws an Error whose message says what is wrong with it. */
export function parseImageReference(reference: string): ImageReference {
  const [beforeDigest = '', digest, ...more] = reference.split('@');
  if (more.length > 0) throw new Error(`could not parse reference: ${reference}`);
  if (digest !== undefined && !/^sha256:[0-9a-f]{64}$/.test(digest)) throw new Error(`invalid checksum digest format: ${digest}`);
  const colon = beforeDigest.lastIndexOf(':');
  const hasTag = colon > beforeDigest.lastIndexOf('/');
  const tag = hasTag ? beforeDigest.slice(colon + 1) : undefined;
  if (tag !== undefined && !/^\w[\w.-]{0,127}$/.test(tag)) throw new Error(`could not parse reference: ${reference}`);
  const path = hasTag ? beforeDigest.slice(0, colon) : beforeDigest;
  const slash = path.indexOf('/');
  const first = slash < 0 ? '' : path.slice(0, slash);
  const isHost = first.includes('.') || first.includes(':') || first === 'localhost' || first !== first.toLowerCase();
  const registry = isHost ? first : 'index.docker.io';
  const rest = isHost ? path.slice(slash + 1) : path;
  const repository = isHost || rest.includes('/') ? rest : `library/${rest}`;
  if (rest.length === 0 || repository.length > 255 || !name.test(repository) || !host.test(registry)) {
    throw new Error(`could not parse reference: ${reference}`);
  }
  return {
    registry: registry === 'docker.io' ? 'index.docker.io' : registry,
    repository,
    tag: tag ?? (digest === undefined ? 'latest' : undefined),
    digest,
  };
}

/** What is wrong with an image reference, or undefined. */
export function imageReferenceError(reference: string): string | undefined {
  try {
    parseImageReference(reference);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
