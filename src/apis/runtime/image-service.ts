/** What an image's configuration says about running it (OCI image-spec `config`). */
export interface ImageConfig {
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  /** `KEY=value`. */
  readonly environment: readonly string[];
  readonly workingDirectory: string;
  /** As written in the image: name or uid, optionally `:group`; '' is root. */
  readonly user: string;
  readonly exposedPorts: readonly string[];
  readonly stopSignal: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Of an image that says nothing about running it. */
export const emptyImageConfig: ImageConfig = {
  entrypoint: [],
  command: [],
  environment: [],
  workingDirectory: '/',
  user: '',
  exposedPorts: [],
  stopSignal: '',
  labels: {},
};

/** An image that is on this machine, unpacked and ready to be an overlay's lower layers. */
export interface LocalImage {
  /** Manifest digest, `sha256:…`. */
  readonly digest: string;
  /** `repository@sha256:…`, for containerStatuses[].imageID. */
  readonly reference: string;
  /** Unpacked layer directories, topmost first (the order of overlayfs `lowerdir`). */
  readonly layers: readonly string[];
  readonly config: ImageConfig;
  readonly sizeBytes: number;
  /** Where it came from, for the pod's event: `local store`, `registry gcr.io`. */
  readonly source: string;
}

export interface RegistryCredential {
  /** What it is for: a registry's host, e.g. `index.docker.io` or `localhost:5000`, with or without a path: `gcr.io/project`. */
  readonly registry: string;
  readonly username: string;
  readonly password: string;
  /** Instead of a password: an OAuth refresh token for the registry's token service. */
  readonly identityToken?: string;
}

/** Why an image cannot be had, in kubelet's terms. */
export class ImageError extends Error {
  readonly reason: 'ErrImagePull' | 'ErrImageNeverPull' | 'InvalidImageName' | 'ImageInspectError' | 'RegistryUnavailable';
  constructor(reason: ImageError['reason'], message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'ImageError';
    this.reason = reason;
  }
}

/** The image side of a node: src/images implements it, src/node uses it. */
export interface ImageService {
  /**
   * Makes the image available, unpacked. A name tagged locally wins over the registry of that name, under every policy.
   * `hold` keeps it from garbage collection until released. `onPull` is called once when a registry has to be asked.
   */
  ensure(
    reference: string,
    policy: 'Always' | 'IfNotPresent' | 'Never',
    credentials: readonly RegistryCredential[],
    signal: AbortSignal,
    onPull?: () => void,
  ): Promise<LocalImage>;
  /** Digest a reference stands for right now, without fetching layers: `repository@sha256:…`. */
  resolve(reference: string, credentials: readonly RegistryCredential[], signal: AbortSignal): Promise<string>;
  hold(digest: string, holder: string): Promise<void>;
  release(holder: string): Promise<void>;
  /** Makes room on a disk that is too full by removing unused pulled images. Undefined: there is room enough. */
  relieve(): Promise<ImageRelief | undefined>;
}

export interface ImageRelief {
  /** Names that were removed. */
  readonly removed: readonly string[];
  /** How much there would have to be freed, and how much was. */
  readonly wantedBytes: number;
  readonly freedBytes: number;
}
