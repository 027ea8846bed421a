/** Shapes and media types of the OCI image specification 1.1 and their Docker equals. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: { readonly architecture?: string; readonly os?: string; readonly variant?: string };
  readonly annotations?: Readonly<Record<string, string>>;
  readonly artifactType?: string;
  readonly urls?: readonly string[];
}

export interface ImageManifest {
  readonly schemaVersion: 2;
  readonly mediaType?: string;
  readonly artifactType?: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface ImageIndex {
  readonly schemaVersion: 2;
  readonly mediaType?: string;
  readonly artifactType?: string;
  readonly manifests: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** The configuration blob; the inner names are written as Docker wrote them first. */
export interface ImageConfigFile {
  readonly architecture?: string;
  readonly os?: string;
  readonly variant?: string;
  readonly created?: string;
  readonly config?: {
    readonly Entrypoint?: readonly string[] | null;
    readonly Cmd?: readonly string[] | null;
    readonly Env?: readonly string[] | null;
    readonly WorkingDir?: string;
    readonly User?: string;
    readonly ExposedPorts?: Readonly<Record<string, unknown>> | null;
    readonly StopSignal?: string;
    readonly Labels?: Readonly<Record<string, string>> | null;
  };
  readonly rootfs: { readonly type: string; readonly diff_ids: readonly string[] };
  readonly history?: readonly Readonly<Record<string, unknown>>[];
}

export const mediaTypes = {
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociConfig: 'application/vnd.oci.image.config.v1+json',
  ociLayer: 'application/vnd.oci.image.layer.v1.tar',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerIndex: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerLayer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
} as const;

/** What a client accepts where a manifest is asked for, best first. */
export const manifestTypes: readonly string[] = [
  mediaTypes.ociIndex,
  mediaTypes.ociManifest,
  mediaTypes.dockerIndex,
  mediaTypes.dockerManifest,
];

const digestPattern = /^sha256:[0-9a-f]{64}$/;

export function isDigest(text: string): boolean {
  return digestPattern.test(text);
}

/** A manifest or index as stored: the bytes decide the digest, so they are kept. */
export interface StoredManifest {
  readonly digest: string;
  readonly mediaType: string;
  readonly bytes: Buffer;
  readonly content: ImageManifest | ImageIndex;
}

export function isIndex(content: ImageManifest | ImageIndex): content is ImageIndex {
  return 'manifests' in content;
}

/**
 * Reads a manifest or index and checks its shape; throws an Error that says what is wrong. `declared` is the Content-Type it came
 * with: it must agree with the document's own (which older OCI writers leave out).
 */
export function parseManifest(bytes: Buffer, declared?: string): { mediaType: string; content: ImageManifest | ImageIndex } {
  const value = parseObject(bytes);
  const own = value['mediaType'];
  if (own !== undefined && typeof own !== 'string') throw new Error('mediaType is not a string');
  if (value['schemaVersion'] !== 2) throw new Error(`schemaVersion ${JSON.stringify(value['schemaVersion'])} is not supported`);
  const index = Array.isArray(value['manifests']);
  const mediaType = own ?? declared ?? (index ? mediaTypes.ociIndex : mediaTypes.ociManifest);
  if (!manifestTypes.includes(mediaType)) throw new Error(`media type ${mediaType} is not supported`);
  if (declared !== undefined && manifestTypes.includes(declared) && declared !== mediaType) {
    throw new Error(`media type ${mediaType} differs from the declared ${declared}`);
  }
  const wantsIndex = mediaType === mediaTypes.ociIndex || mediaType === mediaTypes.dockerIndex;
  if (index !== wantsIndex || (index && ('layers' in value || 'config' in value))) throw new Error(`content is not a ${mediaType}`);
  if (index) checkDescriptors(value['manifests'], 'manifests');
  else {
    checkDescriptors([value['config']], 'config');
    checkDescriptors(value['layers'], 'layers');
  }
  if (value['subject'] !== undefined) checkDescriptors([value['subject']], 'subject');
  return { mediaType, content: value as unknown as ImageManifest | ImageIndex };
}

function parseObject(bytes: Buffer): Record<string, unknown> {
  const value = JSON.parse(bytes.toString('utf8')) as unknown;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('content is not a JSON object');
  return value as Record<string, unknown>;
}

function checkDescriptors(list: unknown, field: string): void {
  if (!Array.isArray(list)) throw new Error(`${field} is not a list`);
  for (const item of list as unknown[]) {
    const descriptor = item as Partial<Descriptor> | null | undefined;
    if (typeof descriptor?.mediaType !== 'string') throw new Error(`${field}: mediaType is missing`);
    if (typeof descriptor.digest !== 'string' || !isDigest(descriptor.digest))
      throw new Error(`${field}: digest is not sha256:<64 hex digits>`);
    if (!Number.isSafeInteger(descriptor.size) || (descriptor.size ?? -1) < 0) throw new Error(`${field}: size is not a byte count`);
  }
}

/** Reads a configuration blob; throws an Error that says what is wrong. */
export function parseConfigFile(bytes: Buffer): ImageConfigFile {
  const value = parseObject(bytes);
  const rootfs = value['rootfs'] as Partial<ImageConfigFile['rootfs']> | undefined;
  const ids: readonly unknown[] | undefined = rootfs?.diff_ids;
  if (!Array.isArray(ids) || !ids.every((id) => typeof id === 'string' && isDigest(id))) {
    throw new Error('rootfs.diff_ids is not a list of digests');
  }
  return value as unknown as ImageConfigFile;
}

/** This machine in OCI's words. */
export const hostPlatform: { readonly os: string; readonly architecture: string } = {
  os: 'linux',
  architecture:
    { x64: 'amd64', arm64: 'arm64', arm: 'arm', ia32: '386', ppc64: 'ppc64le', s390x: 's390x', riscv64: 'riscv64' }[
      process.arch as string
    ] ?? process.arch,
};

/** The manifest of an index for this machine; of equal ones the first, as containerd does. */
export function selectPlatform(index: ImageIndex): Descriptor | undefined {
  const fits = index.manifests.filter(
    ({ platform }) => platform?.os === hostPlatform.os && platform.architecture === hostPlatform.architecture,
  );
  if (fits.length > 0) return fits[0];
  // A one-entry index without a platform, as `buildah manifest` and OCI layouts write it: the configuration decides.
  return index.manifests.length === 1 && index.manifests[0]?.platform === undefined ? index.manifests[0] : undefined;
}
