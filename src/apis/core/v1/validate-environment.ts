import type { EnvFromSource, EnvVar, EnvVarSource, ObjectFieldSelector, ResourceFieldSelector } from '#apis/core/v1/environment.ts';
import { fieldInvalid, fieldNotSupported, type FieldError } from '#apis/meta/field-error.ts';
import { checkConfigMapKey, checkDns1123Subdomain, checkEnvVarName, checkQualifiedName } from '#apis/meta/names.ts';
import { each, invalidFor, requiredName, requiredText, type Errors } from '#apis/meta/validation.ts';

const envFieldPaths = new Set([
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.nodeName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.podIP',
  'status.podIPs',
]);
const volumeFieldPaths = new Set(['metadata.annotations', 'metadata.labels', 'metadata.name', 'metadata.namespace', 'metadata.uid']);
const resourceFields = [
  'limits.cpu',
  'limits.ephemeral-storage',
  'limits.memory',
  'requests.cpu',
  'requests.ephemeral-storage',
  'requests.memory',
];
const sources = ['fieldRef', 'resourceFieldRef', 'configMapKeyRef', 'secretKeyRef', 'fileKeyRef'] as const;

export function validateEnv(env: readonly EnvVar[] | undefined, at: string): Errors {
  return each(env, at, ({ name, value, valueFrom }, field) => [
    ...requiredName(`${field}.name`, name, checkEnvVarName),
    ...(valueFrom === undefined ? [] : sourceErrors(valueFrom, value, `${field}.valueFrom`)),
  ]);
}

function sourceErrors(source: EnvVarSource, value: string | undefined, at: string): Errors {
  const errors: FieldError[] = [];
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, fileKeyRef } = source;
  if (fieldRef !== undefined) errors.push(...fieldRefErrors(fieldRef, `${at}.fieldRef`, envFieldPaths));
  if (resourceFieldRef !== undefined) errors.push(...resourceRefErrors(resourceFieldRef, `${at}.resourceFieldRef`));
  if (configMapKeyRef !== undefined) errors.push(...keyRefErrors(configMapKeyRef, `${at}.configMapKeyRef`));
  if (secretKeyRef !== undefined) errors.push(...keyRefErrors(secretKeyRef, `${at}.secretKeyRef`));
  if (fileKeyRef !== undefined) {
    for (const key of ['volumeName', 'path', 'key'] as const) errors.push(...requiredText(`${at}.fileKeyRef.${key}`, fileKeyRef[key]));
  }
  const given = sources.filter((key) => source[key] !== undefined).length;
  const allowed = '`fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`';
  if (given === 0) errors.push(fieldInvalid(at, '', `must specify one of: ${allowed}`));
  else if (value !== undefined && value !== '') errors.push(fieldInvalid(at, '', 'may not be specified when `value` is not empty'));
  else if (given > 1) errors.push(fieldInvalid(at, '', 'may not have more than one field specified at a time'));
  return errors;
}

/** `metadata.labels['app']` names one label; the other paths are a closed list. */
function fieldRefErrors({ fieldPath, apiVersion }: ObjectFieldSelector, at: string, allowed: ReadonlySet<string>): Errors {
  if (apiVersion === '') return [...requiredText(`${at}.apiVersion`, apiVersion), ...requiredText(`${at}.fieldPath`, fieldPath)];
  if (fieldPath === '') return requiredText(`${at}.fieldPath`, fieldPath);
  const [, map, key] = /^(metadata\.(?:labels|annotations))\['(.*)'\]$/.exec(fieldPath) ?? [];
  if (key !== undefined) return invalidFor(at, key, checkQualifiedName(map === 'metadata.annotations' ? key.toLowerCase() : key));
  if (allowed.has(fieldPath)) return [];
  return [fieldInvalid(`${at}.fieldPath`, fieldPath, `error converting fieldPath: field label not supported: ${fieldPath}`)];
}

/** A field of the pod as the content of a downward API file. */
export function volumeFieldRefErrors(selector: ObjectFieldSelector, at: string): Errors {
  return fieldRefErrors(selector, at, volumeFieldPaths);
}

export function resourceRefErrors({ resource }: ResourceFieldSelector, at: string): Errors {
  if (resource === '') return requiredText(`${at}.resource`, resource);
  if (resourceFields.includes(resource) || /^(limits|requests)\.hugepages-/.test(resource)) return [];
  return [fieldNotSupported(`${at}.resource`, resource, resourceFields)];
}

function keyRefErrors({ name, key }: { readonly name?: string; readonly key: string }, at: string): Errors {
  return [...requiredText(`${at}.name`, name), ...requiredName(`${at}.key`, key, checkConfigMapKey)];
}

export function validateEnvFrom(envFrom: readonly EnvFromSource[] | undefined, at: string): Errors {
  return each(envFrom, at, ({ prefix = '', configMapRef, secretRef }, field) => {
    const errors: FieldError[] = prefix === '' ? [] : [...invalidFor(`${field}.prefix`, prefix, checkEnvVarName(prefix))];
    if (configMapRef !== undefined) errors.push(...requiredName(`${field}.configMapRef.name`, configMapRef.name, checkDns1123Subdomain));
    if (secretRef !== undefined) errors.push(...requiredName(`${field}.secretRef.name`, secretRef.name, checkDns1123Subdomain));
    if (configMapRef === undefined && secretRef === undefined) {
      errors.push(fieldInvalid(field, '', 'must specify one of: `configMapRef` or `secretRef`'));
    } else if (configMapRef !== undefined && secretRef !== undefined) {
      errors.push(fieldInvalid(field, '', 'may not have more than one field specified at a time'));
    }
    return errors;
  });
}
