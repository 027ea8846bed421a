import { localPathErrors } from '#apis/core/v1/validate-container.ts';
import { resourceRefErrors, volumeFieldRefErrors } from '#apis/core/v1/validate-environment.ts';
import { quantityErrors } from '#apis/core/v1/validate-resources.ts';
import type { DownwardAPIVolumeFile, KeyToPath, VolumeProjection } from '#apis/core/v1/volume-projections.ts';
import type { Volume } from '#apis/core/v1/volume.ts';
import { fieldDuplicate, fieldForbidden, fieldInvalid, fieldNotSupported, fieldRequired, type FieldError } from '#apis/meta/field-error.ts';
import { checkDns1123Label } from '#apis/meta/names.ts';
import { each, requiredName, requiredText, type Errors } from '#apis/meta/validation.ts';

const hostPathTypes = ['', 'BlockDevice', 'CharDevice', 'Directory', 'DirectoryOrCreate', 'File', 'FileOrCreate', 'Socket'];
const modeText = 'must be a number between 0 and 0777 (octal), both inclusive';

export function validateVolumes(volumes: readonly Volume[] | undefined, at: string): Errors {
  const names = new Set<string>();
  return each(volumes, at, (volume, field) => {
    const { name, ...sources } = volume;
    const errors: FieldError[] = [...sourcesErrors(sources, field), ...requiredName(`${field}.name`, name, checkDns1123Label)];
    if (names.has(name)) errors.push(fieldDuplicate(`${field}.name`, name));
    names.add(name);
    return errors;
  });
}

type Sources = Omit<Volume, 'name'>;
type Check<K extends keyof Sources> = (source: NonNullable<Sources[K]>, at: string) => Errors;

/** Checks by source type; a type that is not listed has nothing to check beyond its schema. */
const sourceChecks: { readonly [K in keyof Sources]?: Check<K> } = {
  hostPath: ({ path, type = '' }, at) => [
    ...requiredText(`${at}.path`, path),
    ...(path.split('/').includes('..') ? [fieldInvalid(`${at}.path`, path, "must not contain '..'")] : []),
    ...(hostPathTypes.includes(type) ? [] : [fieldNotSupported(`${at}.type`, type, hostPathTypes)]),
  ],
  emptyDir: ({ sizeLimit }, at) => quantityErrors(`${at}.sizeLimit`, sizeLimit),
  configMap: ({ name, items, defaultMode }, at) => [
    ...requiredText(`${at}.name`, name),
    ...modeErrors(`${at}.defaultMode`, defaultMode),
    ...itemsErrors(items, `${at}.items`),
  ],
  secret: ({ secretName, items, defaultMode }, at) => [
    ...requiredText(`${at}.secretName`, secretName),
    ...modeErrors(`${at}.defaultMode`, defaultMode),
    ...itemsErrors(items, `${at}.items`),
  ],
  downwardAPI: ({ items, defaultMode }, at) => [
    ...modeErrors(`${at}.defaultMode`, defaultMode),
    ...each(items, `${at}.items`, (file, field) => downwardErrors(file, field)),
  ],
  projected: ({ sources, defaultMode }, at) => [
    ...modeErrors(`${at}.defaultMode`, defaultMode),
    ...each(sources, `${at}.sources`, projectionErrors),
  ],
  persistentVolumeClaim: ({ claimName }, at) => requiredText(`${at}.claimName`, claimName),
  nfs: ({ server, path }, at) => [
    ...requiredText(`${at}.server`, server),
    ...requiredText(`${at}.path`, path),
    ...(path.startsWith('/') ? [] : [fieldInvalid(`${at}.path`, path, 'must be an absolute path')]),
  ],
  csi: ({ driver }, at) => requiredText(`${at}.driver`, driver),
  ephemeral: ({ volumeClaimTemplate }, at) => (volumeClaimTemplate === undefined ? [fieldRequired(`${at}.volumeClaimTemplate`)] : []),
  gitRepo: ({ repository, directory = '' }, at) => [
    ...requiredText(`${at}.repository`, repository),
    ...localPathErrors(`${at}.directory`, directory),
  ],
};

function sourcesErrors(sources: Sources, at: string): Errors {
  const given = Object.keys(sources) as (keyof Sources)[];
  const [first, ...surplus] = given;
  if (first === undefined) return [fieldRequired(at, 'must specify a volume type')];
  const forbidden = surplus.map((type) => fieldForbidden(`${at}.${type}`, 'may not specify more than 1 volume type'));
  const check = sourceChecks[first] as ((source: unknown, at: string) => Errors) | undefined;
  return [...forbidden, ...(check?.(sources[first], `${at}.${first}`) ?? [])];
}

function modeErrors(field: string, mode: number | undefined): Errors {
  return mode !== undefined && (mode < 0 || mode > 0o777) ? [fieldInvalid(field, mode, modeText)] : [];
}

function itemsErrors(items: readonly KeyToPath[] | undefined, at: string): Errors {
  return each(items, at, ({ key, path, mode }, field) => [
    ...requiredText(`${field}.key`, key),
    ...requiredText(`${field}.path`, path),
    ...reservedPathErrors(`${field}.path`, path),
    ...modeErrors(`${field}.mode`, mode),
  ]);
}

function reservedPathErrors(field: string, path: string): Errors {
  const errors = localPathErrors(field, path);
  return path.startsWith('..') && path !== '..' && !path.startsWith('../')
    ? [...errors, fieldInvalid(field, path, "must not start with '..'")]
    : errors;
}

function downwardErrors({ path, fieldRef, resourceFieldRef, mode }: DownwardAPIVolumeFile, at: string): Errors {
  const errors: FieldError[] = [...requiredText(`${at}.path`, path), ...reservedPathErrors(`${at}.path`, path)];
  if (fieldRef !== undefined) {
    errors.push(...volumeFieldRefErrors(fieldRef, `${at}.fieldRef`));
    if (resourceFieldRef !== undefined)
      errors.push(fieldInvalid(at, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously'));
  } else if (resourceFieldRef !== undefined) {
    errors.push(...requiredText(`${at}.resourceFieldRef.containerName`, resourceFieldRef.containerName));
    errors.push(...resourceRefErrors(resourceFieldRef, `${at}.resourceFieldRef`));
  } else errors.push(fieldRequired(at, 'one of fieldRef and resourceFieldRef is required'));
  return [...errors, ...modeErrors(`${at}.mode`, mode)];
}

function projectionErrors(projection: VolumeProjection, at: string): Errors {
  const { configMap, secret, downwardAPI, serviceAccountToken } = projection;
  const given = Object.keys(projection);
  const errors: FieldError[] = given.slice(1).map((type) => fieldForbidden(`${at}.${type}`, 'may not specify more than 1 volume type'));
  if (given.length === 0) errors.push(fieldRequired(at, 'must specify one of the projected volume types'));
  if (configMap !== undefined)
    errors.push(...requiredText(`${at}.configMap.name`, configMap.name), ...itemsErrors(configMap.items, `${at}.configMap.items`));
  if (secret !== undefined)
    errors.push(...requiredText(`${at}.secret.name`, secret.name), ...itemsErrors(secret.items, `${at}.secret.items`));
  errors.push(...each(downwardAPI?.items, `${at}.downwardAPI.items`, (file, field) => downwardErrors(file, field)));
  if (serviceAccountToken === undefined) return errors;
  const { expirationSeconds, path } = serviceAccountToken;
  const field = `${at}.serviceAccountToken`;
  if (expirationSeconds !== undefined && expirationSeconds < 600) {
    errors.push(fieldInvalid(`${field}.expirationSeconds`, expirationSeconds, 'may not specify a duration less than 10 minutes'));
  }
  return [...errors, ...requiredText(`${field}.path`, path), ...reservedPathErrors(`${field}.path`, path)];
}
