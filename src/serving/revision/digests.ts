import type { RegistryCredential } from '#apis/runtime/image-service.ts';
import type { Container } from '#apis/core/v1/pod.ts';
import { parseImageReference } from '#apis/knative/image-reference.ts';
import type { Revision } from '#apis/serving/v1/schemas.ts';
import { errorText } from '#core/errors.ts';

/** Turns tags into digests; src/images implements it. */
export interface ImageResolver {
  /** `repository@sha256:…` of what the reference stands for now. Throws with the registry's answer. */
  resolve(reference: string, credentials: readonly RegistryCredential[], signal: AbortSignal): Promise<string>;
}

/** Pull secrets of a revision: its own and its service account's. */
export type CredentialSource = (revision: Revision) => Promise<readonly RegistryCredential[]>;

/** An image cannot be resolved; the message is the revision's condition. */
export class ImageMissingError extends Error {
  constructor(image: string, cause: unknown) {
    super(`Unable to fetch image ${JSON.stringify(image)}: ${errorText(cause)}`, { cause });
    this.name = 'ImageMissingError';
  }
}

export interface ResolvedImage {
  readonly name: string;
  readonly imageDigest: string;
}

/** Resolves every image at once, bounded by `timeoutMs`; images of registries on the skip list stay as they are. */
export async function resolveImages(
  containers: readonly Container[],
  resolver: ImageResolver,
  credentials: readonly RegistryCredential[],
  options: { readonly skip: ReadonlySet<string>; readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<ResolvedImage[]> {
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(options.timeoutMs)]);
  return Promise.all(
    containers.map(async ({ name, image = '' }) => {
      const reference = parseImageReference(image);
      if (reference.digest !== undefined || options.skip.has(reference.registry)) return { name, imageDigest: image };
      try {
        return { name, imageDigest: await resolver.resolve(image, credentials, signal) };
      } catch (error) {
        throw new ImageMissingError(image, error);
      }
    }),
  );
}
