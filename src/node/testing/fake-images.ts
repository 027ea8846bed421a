import {
  ImageError,
  type ImageRelief,
  type ImageService,
  type LocalImage,
  type RegistryCredential,
  emptyImageConfig,
} from '#apis/runtime/image-service.ts';

/** An ImageService that knows the images it was given; everything else is not found at its registry. */
export class FakeImages implements ImageService {
  readonly known = new Map<string, LocalImage>();
  readonly holders = new Map<string, string>();
  /** What `relieve` answers, and how often it was asked. */
  relief: ImageRelief | undefined;
  reliefs = 0;

  add(reference: string, config: Partial<LocalImage['config']> = {}): void {
    const digest = `sha256:${Buffer.from(reference).toString('hex').padEnd(64, '0').slice(0, 64)}`;
    this.known.set(reference, {
      digest,
      reference: `${reference.split(':')[0] ?? ''}@${digest}`,
      layers: ['/nowhere'],
      sizeBytes: 1000,
      source: 'local store',
      config: {
        ...emptyImageConfig,
        command: ['/app'],
        environment: ['PATH=/usr/bin:/bin'],
        ...config,
      },
    });
  }

  ensure(
    reference: string,
    policy: 'Always' | 'IfNotPresent' | 'Never',
    _credentials: readonly RegistryCredential[] = [],
    _signal?: AbortSignal,
    onPull: () => void = () => {},
  ): Promise<LocalImage> {
    const image = this.known.get(reference);
    if (image !== undefined) return Promise.resolve(image);
    if (policy === 'Never') {
      const message = `Container image "${reference}" is not present with pull policy of Never`;
      return Promise.reject(new ImageError('ErrImageNeverPull', message));
    }
    onPull();
    return Promise.reject(new ImageError('ErrImagePull', `${reference}: not found: registry.example said 404`));
  }

  resolve(reference: string): Promise<string> {
    return this.ensure(reference, 'IfNotPresent').then((image) => image.reference);
  }

  hold(digest: string, holder: string): Promise<void> {
    this.holders.set(holder, digest);
    return Promise.resolve();
  }

  relieve(): Promise<ImageRelief | undefined> {
    this.reliefs += 1;
    return Promise.resolve(this.relief);
  }

  release(holder: string): Promise<void> {
    this.holders.delete(holder);
    return Promise.resolve();
  }
}
