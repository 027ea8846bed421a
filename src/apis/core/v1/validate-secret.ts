import type { Secret } from '#apis/core/v1/secret.ts';
import { jsonEqual } from '#apis/meta/equal.ts';
import { fieldForbidden, fieldInvalid, fieldRequired, fieldTooLong, type FieldError } from '#apis/meta/field-error.ts';
import { checkConfigMapKey } from '#apis/meta/names.ts';
import { immutable, invalidFor, type Errors } from '#apis/meta/validation.ts';

const maxBytes = 1024 * 1024;
const redacted = '<secret contents redacted>';

/** `stringData` is a way to write `data`: it is encoded and never kept. */
export function mergeStringData(secret: Secret): void {
  const { stringData } = secret;
  if (stringData === undefined || typeof stringData !== 'object') return;
  delete secret.stringData;
  for (const [key, value] of Object.entries(stringData)) {
    secret.data = { ...secret.data, [key]: Buffer.from(value).toString('base64') };
  }
}

export function validateSecret(secret: Secret): Errors {
  const { data = {}, type = 'Opaque', metadata } = secret;
  const errors: FieldError[] = [];
  let size = 0;
  for (const [key, value] of Object.entries(data)) {
    errors.push(...invalidFor(`data[${key}]`, key, checkConfigMapKey(key)));
    size += Buffer.byteLength(value, 'base64');
  }
  if (size > maxBytes) errors.push(fieldTooLong('data', maxBytes));
  const account = 'kubernetes.io/service-account.name';
  if (type === 'kubernetes.io/service-account-token' && (metadata.annotations?.[account] ?? '') === '') {
    errors.push(fieldRequired(`metadata.annotations[${account}]`));
  }
  return [...errors, ...(Object.hasOwn(typeChecks, type) ? (typeChecks[type]?.(data) ?? []) : [])];
}

type Data = Readonly<Record<string, string>>;

/** What the well-known types demand of their data. */
const typeChecks: Readonly<Record<string, (data: Data) => Errors>> = {
  'kubernetes.io/dockercfg': (data) => jsonErrors(data, '.dockercfg'),
  'kubernetes.io/dockerconfigjson': (data) => jsonErrors(data, '.dockerconfigjson'),
  'kubernetes.io/basic-auth': (data) =>
    data['username'] === undefined && data['password'] === undefined ? [...missing(data, 'username'), ...missing(data, 'password')] : [],
  'kubernetes.io/ssh-auth': (data) => ((data['ssh-privatekey'] ?? '') === '' ? [fieldRequired('data[ssh-privatekey]')] : []),
  'kubernetes.io/tls': (data) => [...missing(data, 'tls.crt'), ...missing(data, 'tls.key')],
};

function missing(data: Data, key: string): Errors {
  return data[key] === undefined ? [fieldRequired(`data[${key}]`)] : [];
}

function jsonErrors(data: Data, key: string): Errors {
  const value = data[key];
  if (value === undefined) return [fieldRequired(`data[${key}]`)];
  try {
    JSON.parse(Buffer.from(value, 'base64').toString());
    return [];
  } catch (error) {
    return [fieldInvalid(`data[${key}]`, redacted, error instanceof Error ? error.message : String(error))];
  }
}

export function validateSecretUpdate(secret: Secret, old: Secret): Errors {
  const errors: FieldError[] = [...immutable('type', secret.type, old.type)];
  if (old.immutable !== true) return errors;
  const text = 'field is immutable when `immutable` is set';
  if (secret.immutable !== true) errors.push(fieldForbidden('immutable', text));
  if (!jsonEqual(secret.data, old.data)) errors.push(fieldForbidden('data', text));
  return errors;
}
