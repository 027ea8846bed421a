import type { RegistryCredential } from '#apis/runtime/image-service.ts';
import type { ProgressListener } from '../messages.ts';

/** Where images that are not here come from, and go to. Rejects with an ImageError that says which registry said what. */
export interface ImageSource {
  /** What the registry says the reference stands for. */
  resolve(reference: string, credentials: readonly RegistryCredential[], signal: AbortSignal): Promise<{ readonly digest: string }>;
  /** Brings all blobs for this machine's platform into the store; returns what the reference stands for. */
  pull(reference: string, credentials: readonly RegistryCredential[], signal: AbortSignal, onProgress?: ProgressListener): Promise<string>;
  /** Uploads the image with this digest as `target`. */
  push(
    digest: string,
    target: string,
    credentials: readonly RegistryCredential[],
    signal: AbortSignal,
    onProgress?: ProgressListener,
  ): Promise<void>;
}
