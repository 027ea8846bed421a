import { imageResolutions, type ImageResolution } from '#apis/dormouse/v1/image-resolution.ts';
import { apiVersionOf } from '#apis/definition.ts';
import { ImageError } from '#apis/runtime/image-service.ts';
import { parseImageReference } from '#apis/knative/image-reference.ts';
import type { Client } from '#client/client.ts';
import { answerFailed } from '#client/errors.ts';
import { systemClock } from '#core/clock.ts';
import { pinned } from '#images/names.ts';
import { pullCredentials } from '#platform/knative/pull-credentials.ts';
import type { ImageResolver } from '#serving/modules.ts';

/**
 * Resolves images by what the cluster offers: where it answers ImageResolutions it is asked, since its nodes know images that no
 * registry has; on any other cluster the image's registry is asked, with the pull secrets read from the API.
 */
export function imageResolver(client: Client): ImageResolver {
  let offered: boolean | undefined;
  return {
    async resolve(image, user, signal) {
      offered ??= await offersResolution(client, signal);
      return offered ? askCluster(client, image, user, signal) : askRegistry(client, image, user, signal);
    },
  };
}

async function offersResolution(client: Client, signal: AbortSignal): Promise<boolean> {
  const path = `/apis/${apiVersionOf(imageResolutions)}`;
  const { status, body } = await client.raw({ method: 'GET', path, signal });
  if (status === 404) return false;
  if (status !== 200) throw answerFailed(`GET ${path}`, status, body);
  return (body as { resources?: { name?: string }[] }).resources?.some(({ name }) => name === imageResolutions.plural) ?? false;
}

async function askCluster(client: Client, ...[image, user, signal]: Parameters<ImageResolver['resolve']>): Promise<string> {
  const { namespace, serviceAccountName, imagePullSecrets } = user;
  const spec = {
    image,
    ...(serviceAccountName === undefined ? {} : { serviceAccountName }),
    ...(imagePullSecrets === undefined ? {} : { imagePullSecrets: [...imagePullSecrets] }),
  };
  const question: ImageResolution = { metadata: { namespace }, spec };
  const { status } = await client.of(imageResolutions).create(question, { signal });
  if (status?.image === undefined) throw new ImageError('ErrImagePull', status?.error ?? 'the answer names no image');
  return status.image;
}

/** How registries are reached; loaded when a cluster does not answer itself. */
const registries = once(async () => {
  const [{ createAgents }, { resolveInRegistry }] = await Promise.all([
    import('#images/client/agents.ts'),
    import('#images/client/resolve.ts'),
  ]);
  return { resolveInRegistry, options: { clock: systemClock, mirrors: {}, agents: createAgents(undefined) } };
});

async function askRegistry(client: Client, ...[image, user, signal]: Parameters<ImageResolver['resolve']>): Promise<string> {
  const [credentials, { resolveInRegistry, options }] = await Promise.all([pullCredentials(client, user), registries()]);
  return pinned(parseImageReference(image), await resolveInRegistry(image, credentials, options, signal));
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}
