import type { LocalObjectReference } from '#apis/core/v1/references.ts';
import type { Container } from '#apis/core/v1/pod.ts';
import { parseImageReference } from '#apis/knative/image-reference.ts';
import { isRetriable } from '#client/errors.ts';
import { within, type Clock } from '#core/clock.ts';
import { errorText } from '#core/errors.ts';

/** Whose pull secrets are used for an image: a revision's own, and those of its service account. */
export interface ImageUser {
  readonly namespace: string;
  readonly serviceAccountName: string | undefined;
  readonly imagePullSecrets: readonly LocalObjectReference[] | undefined;
}

/** Turns tags into digests; who runs these controllers knows whom to ask. */
export interface ImageResolver {
  /**
   * `repository@sha256:…` of what the reference stands for now. Throws with the registry's answer, or with a retriable StatusError
   * when nobody could be asked.
   */
  resolve(reference: string, user: ImageUser, signal: AbortSignal): Promise<string>;
}

/** An image cannot be resolved; the message is the revision's condition. */
export class ImageMissingError extends Error {
  constructor(image: string, cause: unknown) {
    super(`Unable to fetch image ${JSON.stringify(image)}: failed to resolve image to digest: ${errorText(cause)}`, { cause });
    this.name = 'ImageMissingError';
  }
}

export interface ResolvedImage {
  readonly name: string;
  readonly imageDigest: string;
}

/** Resolves every image at once, bounded by `limitMs`; images of registries on the skip list stay as they are. */
export async function resolveImages(
  containers: readonly Container[],
  resolver: ImageResolver,
  user: ImageUser,
  options: { readonly skip: ReadonlySet<string>; readonly limitMs: number; readonly signal: AbortSignal; readonly clock: Clock },
): Promise<ResolvedImage[]> {
  const late = () => new DOMException('The operation was aborted due to timeout', 'TimeoutError');
  return within({ ...options, late }, (signal) =>
    Promise.all(
      containers.map(async ({ name, image = '' }) => {
        const reference = parseImageReference(image);
        if (reference.digest !== undefined || options.skip.has(reference.registry)) return { name, imageDigest: image };
        try {
          return { name, imageDigest: await resolver.resolve(image, user, signal) };
        } catch (error) {
          if (isRetriable(error) && !signal.aborted) throw error;
          throw new ImageMissingError(image, error);
        }
      }),
    ),
  );
}
