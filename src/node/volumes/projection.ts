import type { Pod } from '#apis/core/v1/pod.ts';
import type { DownwardAPIVolumeFile, KeyToPath, VolumeProjection } from '#apis/core/v1/volume-projections.ts';
import type { Volume } from '#apis/core/v1/volume.ts';
import { fieldValue, resourceFieldValue, type PodAddresses } from '#node/environment/field-ref.ts';
import type { NodeFacts, PodSources } from '#node/sources.ts';
import type { VolumeFile } from '#node/volumes/atomic-directory.ts';

/** A volume whose files come from the API, in one form for all four kinds. */
export interface ProjectedVolume {
  readonly sources: readonly VolumeProjection[];
  readonly defaultMode: number;
}

export interface ProjectionContext {
  readonly pod: Pod;
  readonly addresses: PodAddresses;
  readonly node: NodeFacts;
  readonly sources: PodSources;
}

export interface Projection {
  readonly files: ReadonlyMap<string, VolumeFile>;
  /** When the first of its tokens ends, and how long that token lives. */
  readonly token: { readonly expiresAtMs: number } | undefined;
}

/** The configMap, secret, downwardAPI and projected volumes as one list of sources; undefined for other volumes. */
export function projectedVolume({ configMap, secret, downwardAPI, projected }: Volume): ProjectedVolume | undefined {
  if (configMap !== undefined) return { sources: [{ configMap }], defaultMode: configMap.defaultMode ?? 0o644 };
  if (secret !== undefined) {
    const { secretName: name = '', ...rest } = secret;
    return { sources: [{ secret: { name, ...rest } }], defaultMode: secret.defaultMode ?? 0o644 };
  }
  if (downwardAPI !== undefined) return { sources: [{ downwardAPI }], defaultMode: downwardAPI.defaultMode ?? 0o644 };
  if (projected !== undefined) return { sources: projected.sources ?? [], defaultMode: projected.defaultMode ?? 0o644 };
  return undefined;
}

/** Reads what a volume shows right now. Throws, in kubelet's words, when something mandatory is missing. */
export async function collectProjection(volume: ProjectedVolume, context: ProjectionContext): Promise<Projection> {
  const files = new Map<string, VolumeFile>();
  let token: Projection['token'];
  const namespace = context.pod.metadata.namespace ?? '';
  for (const source of volume.sources) {
    if (source.configMap !== undefined) {
      const { name = '', items, optional = false } = source.configMap;
      const found = await context.sources.configMap(namespace, name);
      if (found === undefined && !optional) throw new Error(`configmap "${name}" not found`);
      const texts = Object.entries(found?.data ?? {}).map(([key, value]) => [key, Buffer.from(value)] as const);
      const binary = Object.entries(found?.binaryData ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64')] as const);
      addKeys(files, new Map([...texts, ...binary]), items, optional, volume.defaultMode, 'config');
    } else if (source.secret !== undefined) {
      const { name = '', items, optional = false } = source.secret;
      const found = await context.sources.secret(namespace, name);
      if (found === undefined && !optional) throw new Error(`secret "${name}" not found`);
      const data = Object.entries(found?.data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64')] as const);
      addKeys(files, new Map(data), items, optional, volume.defaultMode, 'secret');
    } else if (source.downwardAPI !== undefined) {
      for (const item of source.downwardAPI.items ?? [])
        add(files, item.path, downwardValue(item, context), item.mode ?? volume.defaultMode);
    } else if (source.serviceAccountToken !== undefined) {
      const { audience, expirationSeconds = 3600, path } = source.serviceAccountToken;
      const request = { expirationSeconds, ...(audience === undefined || audience === '' ? {} : { audience }) };
      const issued = await context.sources.serviceAccountToken(context.pod, request);
      add(files, path, Buffer.from(issued.token), volume.defaultMode);
      if (token === undefined || issued.expiresAtMs < token.expiresAtMs) token = { expiresAtMs: issued.expiresAtMs };
    } else throw new Error(`projected volume source ${Object.keys(source).join(', ')} is not supported`);
  }
  return { files, token };
}

function addKeys(
  files: Map<string, VolumeFile>,
  data: ReadonlyMap<string, Buffer>,
  items: readonly KeyToPath[] | undefined,
  optional: boolean,
  defaultMode: number,
  what: 'config' | 'secret',
): void {
  if (items === undefined || items.length === 0) {
    for (const [key, value] of data) add(files, key, value, defaultMode);
    return;
  }
  for (const { key, path, mode } of items) {
    const value = data.get(key);
    if (value !== undefined) add(files, path, value, mode ?? defaultMode);
    else if (!optional) throw new Error(`references non-existent ${what} key: ${key}`);
  }
}

function add(files: Map<string, VolumeFile>, path: string, data: Buffer, mode: number): void {
  const parts = path.split('/');
  if (path === '' || path.startsWith('/') || parts.some((part) => part === '..' || part === '') || path.startsWith('..')) {
    throw new Error(`invalid path: must be relative and inside the volume, without "..": ${path}`);
  }
  files.set(path, { data, mode });
}

function downwardValue(item: DownwardAPIVolumeFile, { pod, addresses, node }: ProjectionContext): Buffer {
  if (item.fieldRef !== undefined) {
    const value = fieldValue(pod, item.fieldRef.fieldPath, addresses);
    if (value === undefined) throw new Error(`unsupported fieldPath: ${item.fieldRef.fieldPath}`);
    return Buffer.from(value);
  }
  const selector = item.resourceFieldRef;
  const own = pod.spec?.containers.find((one) => one.name === selector?.containerName);
  const value = selector === undefined || own === undefined ? undefined : resourceFieldValue(pod, own, selector, node);
  if (value === undefined) throw new Error(`unsupported container resource : ${selector?.resource ?? ''}`);
  return Buffer.from(value);
}
