import type { Container } from '#apis/core/v1/container.ts';
import type { Pod } from '#apis/core/v1/pod.ts';
import { ImageError, type ImageService, type LocalImage } from '#apis/runtime/image-service.ts';
import { backoffMs } from '#core/async.ts';
import { sleep, type Clock } from '#core/clock.ts';
import { errorText } from '#core/errors.ts';
import { pullCredentials } from '#node/engine-provider/pull-secrets.ts';
import type { PodEvents, PodSources } from '#node/sources.ts';

const baseMs = 10_000;
const maxMs = 300_000;
/** How long the status shows the failure itself before it shows the back-off. */
const showErrorMs = 1_000;

export interface PullRequest {
  readonly pod: Pod;
  readonly container: Container;
  readonly signal: AbortSignal;
  /** The container's waiting state while there is no image. */
  readonly onWaiting: (reason: string, message: string) => void;
}

type PullPolicy = 'Always' | 'IfNotPresent' | 'Never';

/** Gets images for containers, again and again with kubelet's back-off (10 s … 5 min), telling the pod's events about it. */
export class ImagePuller {
  readonly #images: ImageService;
  readonly #sources: PodSources;
  readonly #events: PodEvents;
  readonly #clock: Clock;

  constructor(options: { images: ImageService; sources: PodSources; events: PodEvents; clock: Clock }) {
    this.#images = options.images;
    this.#sources = options.sources;
    this.#events = options.events;
    this.#clock = options.clock;
  }

  /** Resolves with the image; rejects only when the signal aborts. */
  async ensure(request: PullRequest): Promise<LocalImage> {
    const { pod, signal } = request;
    for (let failures = 0; ; failures += 1) {
      try {
        const image = await this.#pull(request);
        await this.#images.hold(image.digest, pod.metadata.uid ?? '');
        return image;
      } catch (error) {
        signal.throwIfAborted();
        await this.#backOff(request, error, backoffMs(failures, baseMs, maxMs));
      }
    }
  }

  async #pull({ pod, container, signal }: PullRequest): Promise<LocalImage> {
    const reference = imageOf(container);
    const { credentials, missing } = await pullCredentials(pod, this.#sources);
    if (missing.length > 0) {
      const names = missing.join(', ');
      const text = `Unable to retrieve some image pull secrets (${names}); attempting to pull the image may not succeed.`;
      this.#events.warning(pod, 'FailedToRetrieveImagePullSecret', text, container.name);
    }
    const began = this.#clock.monotonic();
    const announce = () => this.#events.normal(pod, 'Pulling', `Pulling image "${reference}"`, container.name);
    const image = await this.#images.ensure(reference, pullPolicyOf(container), credentials, signal, announce);
    const took = `${((this.#clock.monotonic() - began) / 1000).toFixed(3)}s`;
    const text = image.source.startsWith('registry')
      ? `Successfully pulled image "${reference}" from ${image.source} in ${took} (${took} including waiting). Image size: ${image.sizeBytes} bytes.`
      : `Container image "${reference}" already present on machine (${image.source})`;
    this.#events.normal(pod, 'Pulled', text, container.name);
    return image;
  }

  async #backOff({ pod, container, signal, onWaiting }: PullRequest, error: unknown, delayMs: number): Promise<void> {
    const reference = imageOf(container);
    const reason = error instanceof ImageError ? error.reason : 'ErrImagePull';
    const message = error instanceof ImageError ? error.message : errorText(error);
    onWaiting(reason, message);
    if (reason === 'ErrImageNeverPull') {
      this.#events.warning(pod, reason, message, container.name);
      this.#events.warning(pod, 'Failed', `Error: ${reason}`, container.name);
      return sleep(this.#clock, delayMs, signal);
    }
    if (reason === 'InvalidImageName') this.#events.warning(pod, 'InspectFailed', message, container.name);
    else this.#events.warning(pod, 'Failed', `Failed to pull image "${reference}": ${message}`, container.name);
    this.#events.warning(pod, 'Failed', `Error: ${reason}`, container.name);
    if (reason === 'InvalidImageName') return sleep(this.#clock, delayMs, signal);
    await sleep(this.#clock, showErrorMs, signal);
    this.#events.normal(pod, 'BackOff', `Back-off pulling image "${reference}"`, container.name);
    this.#events.warning(pod, 'Failed', 'Error: ImagePullBackOff', container.name);
    onWaiting('ImagePullBackOff', `Back-off pulling image "${reference}": ${reason}: ${message}`);
    await sleep(this.#clock, delayMs - showErrorMs, signal);
  }
}

const imageOf = (container: Container): string => container.image ?? '';

/** The policy as set, or Kubernetes' default: `Always` for `:latest` or no tag. */
function pullPolicyOf(container: Container): PullPolicy {
  const set = container.imagePullPolicy;
  if (set === 'Always' || set === 'IfNotPresent' || set === 'Never') return set;
  const [name = ''] = imageOf(container).split('@').slice(0, 1);
  const tag = /:([^/:]+)$/.exec(name)?.[1];
  return imageOf(container).includes('@') || (tag !== undefined && tag !== 'latest') ? 'IfNotPresent' : 'Always';
}
