import type { RegistryCredential } from '#apis/runtime/image-service.ts';

/** One name in the store, as `dormouse image ls` shows it. */
export interface ImageSummary {
  /** As people write it: `nginx:1.27`, `gcr.io/knative-samples/helloworld-nodejs:latest`, `localhost:5000/hello:latest`. */
  readonly name: string;
  readonly digest: string;
  /** Configuration and layers as stored, shared layers counted in full. */
  readonly sizeBytes: number;
  /** When the name was given its digest; milliseconds since the epoch. */
  readonly taggedAt: number;
  /** `local`: built, loaded or pushed here, wins over the registry of that name. `registry`: pulled. */
  readonly origin: ImageOrigin;
  /** A container on this machine uses it. */
  readonly inUse: boolean;
  /** `linux/amd64`; several for an index. */
  readonly platforms: readonly string[];
}

export type ImageOrigin = 'local' | 'registry';

/** What a long operation reports while it goes on. The last one is `done` or `error`. */
export type ImageProgress =
  | { readonly type: 'status'; readonly message: string }
  | {
      readonly type: 'layer';
      readonly digest: string;
      readonly state: 'downloading' | 'uploading' | 'unpacking' | 'done' | 'exists';
      readonly currentBytes: number;
      readonly totalBytes: number;
    }
  | { readonly type: 'done'; readonly name: string; readonly digest: string; readonly sizeBytes: number }
  | { readonly type: 'error'; readonly message: string; readonly hint?: string };

export type ProgressListener = (progress: ImageProgress) => void;

export interface PullRequest {
  readonly reference: string;
  readonly credentials?: readonly RegistryCredential[];
}

export interface PushRequest {
  /** A name in the store. */
  readonly source: string;
  /** Where to; the source's own name when missing. */
  readonly target?: string;
  readonly credentials?: readonly RegistryCredential[];
}

export interface BuildRequest {
  /** Absolute path of the source directory on the machine of the node. */
  readonly directory: string;
  /** Names for the result; at least one. */
  readonly tags: readonly string[];
  /** Name of the base image; missing: made from this machine's Node. */
  readonly base?: string;
  /** Command of the container instead of the one found in package.json. */
  readonly command?: readonly string[];
  /** `KEY=value`, added to the image's environment. */
  readonly environment?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  /** Credentials for the base image's registry. */
  readonly credentials?: readonly RegistryCredential[];
}

export interface RemoveResult {
  readonly untagged: readonly string[];
}

export interface PruneRequest {
  /** Also removes names no container uses: `registry` those pulled, `all` every one. Default: only what has no name. */
  readonly unused?: 'registry' | 'all';
}

export interface PruneResult {
  readonly removedNames: readonly string[];
  readonly removedBlobs: number;
  readonly freedBytes: number;
}

export interface SaveRequest {
  readonly names: readonly string[];
  /** Default `docker`, which `docker load` and `dormouse image load` both read. */
  readonly format?: 'docker' | 'oci';
}

export interface LoadResult {
  readonly images: readonly { readonly name: string; readonly digest: string }[];
}
