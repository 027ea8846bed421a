import type { Clock } from '#core/clock.ts';
import type { Logger } from '#core/logger.ts';
import type { BlobStore } from '../store/blob-store.ts';
import type { ImageSource } from './image-source.ts';

export interface ImageSourceOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly mirrors: Readonly<Record<string, readonly string[]>>;
  readonly outbound: string | undefined;
}

/** Loads the registry client, which a platform that only runs local images never needs. */
export async function openImageSource(blobs: BlobStore, options: ImageSourceOptions): Promise<ImageSource> {
  const { RegistrySource } = await import('./registry-source.ts');
  return new RegistrySource(blobs, options);
}
