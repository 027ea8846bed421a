import {
  generic,
  invalidValue,
  missingField,
  missingOneOf,
  multipleOneOf,
  viaField,
  viaIndex,
  type Finding,
} from '#apis/knative/field-error.ts';
import { checkDns1123Label } from '#apis/meta/names.ts';
import { tryParseQuantity } from '#apis/meta/quantity.ts';
import type { Volume } from '#apis/core/v1/volume.ts';
import type { Container } from '#apis/core/v1/container.ts';
import type { FeaturesConfig } from '#apis/serving/config/tables.ts';
import { disallowed, projectionFields, volumeFields, volumeMountFields } from '#apis/serving/validation/allowed-fields.ts';

const sources = ['secret', 'configMap', 'projected', 'emptyDir', 'persistentVolumeClaim', 'hostPath', 'csi', 'ephemeral', 'image'] as const;
const flagged: readonly (readonly [(typeof sources)[number], keyof FeaturesConfig, string])[] = [
  ['image', 'kubernetes.podspec-volumes-image', 'Image'],
  ['emptyDir', 'kubernetes.podspec-volumes-emptydir', 'EmptyDir'],
  ['hostPath', 'kubernetes.podspec-volumes-hostpath', 'HostPath'],
  ['csi', 'kubernetes.podspec-volumes-csi', 'CSI'],
  ['ephemeral', 'kubernetes.podspec-volumes-ephemeral', 'Ephemeral'],
];
const reservedPaths = new Set(['/', '/dev', '/dev/log']);

/** Findings about spec.volumes; every volume must be mounted somewhere. */
export function validateVolumes(volumes: readonly Volume[], mounted: ReadonlySet<string>, features: FeaturesConfig): Finding[] {
  const seen = new Set<string>();
  return volumes.flatMap((volume, index) => {
    const findings: Finding[] = [];
    if (seen.has(volume.name)) findings.push(generic(`duplicate volume name ${JSON.stringify(volume.name)}`, 'name'));
    if (!mounted.has(volume.name)) findings.push(generic(`volume with name ${JSON.stringify(volume.name)} not mounted`, 'name'));
    seen.add(volume.name);
    findings.push(...validateVolume(volume, features));
    return findings.map((finding) => ({ ...finding, paths: finding.paths.map((path) => `[${index}]${path === '' ? '' : `.${path}`}`) }));
  });
}

function validateVolume(volume: Volume, features: FeaturesConfig): Finding[] {
  const findings: Finding[] = [];
  const claim = volume.persistentVolumeClaim;
  if (claim && features['kubernetes.podspec-persistent-volume-claim'] !== 'Enabled') {
    findings.push(generic(`Persistent volume claim support is disabled, but found persistent volume claim ${claim.claimName}`));
  }
  if (claim && claim.readOnly !== true && features['kubernetes.podspec-persistent-volume-write'] !== 'Enabled') {
    findings.push(
      generic(`Persistent volume write support is disabled, but found persistent volume claim ${claim.claimName} that is not read-only`),
    );
  }
  for (const [source, flag, word] of flagged) {
    if (volume[source] && features[flag] !== 'Enabled') {
      findings.push(generic(`${word} volume support is disabled, but found ${word} volume ${volume.name}`));
    }
  }
  if ((volume.name ?? '') === '') findings.push(missingField('name'));
  else if (checkDns1123Label(volume.name).length > 0) findings.push(invalidValue(volume.name, 'name'));
  findings.push(...disallowed(volume, volumeFields, features));
  return [...findings, ...validateSources(volume, features)];
}

function validateSources(volume: Volume, features: FeaturesConfig): Finding[] {
  const findings: Finding[] = [];
  const { secret, configMap, projected, emptyDir } = volume;
  for (const items of [secret?.items, configMap?.items]) findings.push(...validateItems(items));
  for (const [index, projection] of (projected?.sources ?? []).entries()) {
    findings.push(...viaIndex('projected', index, validateProjection(projection as Readonly<Record<string, unknown>>, features)));
  }
  if (emptyDir) findings.push(...viaField('emptyDir', validateEmptyDir(emptyDir)));
  const specified = sources.filter((source) => volume[source] !== undefined && volume[source] !== null);
  if (specified.length > 1) findings.push(multipleOneOf(...specified));
  if (specified.length === 0) {
    const possible = sources.filter((source) => {
      const rule = volumeFields[source];
      return rule === true || (typeof rule === 'string' && features[rule as keyof FeaturesConfig] === 'Enabled');
    });
    findings.push(missingOneOf(...possible));
  }
  return findings;
}

interface KeyToPath {
  key?: string;
  path?: string;
}

function validateItems(items: readonly KeyToPath[] | undefined): Finding[] {
  return (items ?? []).flatMap((item, index) => {
    const missing = (['key', 'path'] as const).filter((name) => (item[name] ?? '') === '');
    return viaIndex(
      'items',
      index,
      missing.map((name) => missingField(name)),
    );
  });
}

function validateProjection(projection: Readonly<Record<string, unknown>>, features: FeaturesConfig): Finding[] {
  const findings = disallowed(projection, projectionFields, features);
  const specified = ['secret', 'configMap', 'serviceAccountToken', 'downwardAPI'].filter((name) => projection[name] !== undefined);
  for (const name of ['secret', 'configMap'] as const) {
    const source = projection[name] as { name?: string; items?: KeyToPath[] } | undefined;
    if (source === undefined) continue;
    if ((source.name ?? '') === '') findings.push(missingField(`${name}.name`));
    findings.push(...viaField(name, validateItems(source.items)));
  }
  const token = projection['serviceAccountToken'] as { path?: string } | undefined;
  if (token !== undefined && (token.path ?? '') === '') findings.push(missingField('serviceAccountToken.path'));
  const downward = projection['downwardAPI'] as { items?: { path?: string; fieldRef?: unknown; resourceFieldRef?: unknown }[] } | undefined;
  for (const [index, item] of (downward?.items ?? []).entries()) {
    findings.push(...viaField('downwardAPI', viaIndex('items', index, validateDownwardItem(item))));
  }
  if (specified.length === 0) findings.push(missingOneOf('secret', 'configMap', 'serviceAccountToken', 'downwardAPI'));
  if (specified.length > 1) findings.push(multipleOneOf(...specified));
  return findings;
}

function validateDownwardItem(item: { path?: string; fieldRef?: unknown; resourceFieldRef?: unknown }): Finding[] {
  const findings: Finding[] = [];
  if (item.fieldRef === undefined && item.resourceFieldRef === undefined) findings.push(missingOneOf('fieldRef', 'resourceFieldRef'));
  if (item.fieldRef !== undefined && item.resourceFieldRef !== undefined) {
    findings.push(generic('Within a single item, cannot set both', 'resourceFieldRef', 'fieldRef'));
  }
  if ((item.path ?? '') === '') findings.push(missingField('path'));
  return findings;
}

function validateEmptyDir(emptyDir: { medium?: string; sizeLimit?: string | number }): Finding[] {
  const findings: Finding[] = [];
  if (emptyDir.medium !== undefined && emptyDir.medium !== '' && emptyDir.medium !== 'Memory')
    findings.push(invalidValue(emptyDir.medium, 'medium'));
  const limit = emptyDir.sizeLimit === undefined ? undefined : tryParseQuantity(emptyDir.sizeLimit);
  if (limit !== undefined && limit.nanos < 0n) findings.push(invalidValue(emptyDir.sizeLimit, 'sizeLimit'));
  return findings;
}

/** Findings about a container's volumeMounts. */
export function validateVolumeMounts(container: Container, volumes: ReadonlyMap<string, Volume>, features: FeaturesConfig): Finding[] {
  const seen = new Set<string>();
  return (container.volumeMounts ?? []).flatMap((mount, index) => {
    const findings = disallowed(mount, volumeMountFields, features);
    const volume = volumes.get(mount.name);
    if (volume === undefined) findings.push(generic('volumeMount has no matching volume', 'name'));
    const path = clean(mount.mountPath ?? '');
    if ((mount.mountPath ?? '') === '') findings.push(missingField('mountPath'));
    else if (reservedPaths.has(path)) findings.push(generic(`mountPath ${JSON.stringify(path)} is a reserved path`, 'mountPath'));
    else if (!path.startsWith('/')) findings.push(invalidValue(mount.mountPath, 'mountPath'));
    else if (seen.has(path)) findings.push(invalidValue(`${JSON.stringify(mount.mountPath)} must be unique`, 'mountPath'));
    seen.add(path);
    const writable = volume?.emptyDir ?? volume?.persistentVolumeClaim ?? volume?.ephemeral;
    if (!writable && mount.readOnly !== true) findings.push(generic('volume mount should be readOnly for this type of volume', 'readOnly'));
    if (volume?.persistentVolumeClaim?.readOnly === true && mount.readOnly !== true) {
      findings.push(generic('volume is readOnly but volume mount is not', 'readOnly'));
    }
    return viaIndex('volumeMounts', index, findings);
  });
}

/** Go's path.Clean for the cases a mount path can have. */
function clean(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') parts.pop();
    else parts.push(part);
  }
  return (path.startsWith('/') ? '/' : '') + parts.join('/');
}
