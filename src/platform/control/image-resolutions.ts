import { imageResolutionDefinition, type ImageResolution, type ImageResolutionStatus } from '#apis/dormouse/v1/image-resolution.ts';
import { StatusError } from '#apis/meta/status.ts';
import { ImageError } from '#apis/runtime/image-service.ts';
import type { ApiServer } from '#apiserver/request.ts';
import type { Client } from '#client/client.ts';
import { errorText, UserError } from '#core/errors.ts';
import { ImageClient } from '#images/remote.ts';
import { imageToken } from '#platform/image-token.ts';
import { pullCredentials } from '#platform/knative/pull-credentials.ts';
import { localHost } from '#platform/local-host.ts';
import type { ProcessConfig } from '#platform/process-config.ts';

/** Answers ImageResolutions by the node's image store: a name tagged there wins, otherwise its registry is asked. */
export function answerImageResolutions(server: ApiServer, client: Client, { layout, settings, ports }: ProcessConfig): void {
  const images = new ImageClient({ url: `http://${localHost(settings.listen)}:${ports.registryPort}`, token: () => imageToken(layout) });
  const { group, plural } = imageResolutionDefinition;
  server.addReview({
    group,
    plural,
    async answer({ namespace, object, signal }): Promise<ImageResolutionStatus> {
      const { spec } = object as ImageResolution;
      const credentials = await pullCredentials(client, { namespace, ...spec });
      try {
        return { image: await images.resolve(spec.image, credentials, signal) };
      } catch (error) {
        if (error instanceof ImageError || error instanceof UserError) return { error: errorText(error) };
        signal.throwIfAborted();
        throw new StatusError('ServiceUnavailable', `the node's image store does not answer: ${errorText(error)}`, { cause: error });
      }
    },
  });
}
