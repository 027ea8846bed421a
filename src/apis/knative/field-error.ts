import { StatusError } from '#apis/meta/status.ts';

/**
 * A finding in the wording of Knative's webhooks (knative.dev/pkg/apis.FieldError): a message, the paths it is about and
 * details. Kubernetes' own kinds use apis/meta/field-error.ts instead.
 */
export interface Finding {
  readonly message: string;
  readonly paths: readonly string[];
  readonly details?: string;
}

export const missingField = (...paths: string[]): Finding => ({ message: 'missing field(s)', paths });
export const disallowedFields = (...paths: string[]): Finding => ({ message: 'must not set the field(s)', paths });
export const invalidValue = (value: unknown, path: string, details?: string): Finding => ({
  message: `invalid value: ${shown(value)}`,
  paths: [path],
  ...(details === undefined ? {} : { details }),
});
export const missingOneOf = (...paths: string[]): Finding => ({ message: 'expected exactly one, got neither', paths: paths.toSorted() });
export const multipleOneOf = (...paths: string[]): Finding => ({ message: 'expected exactly one, got both', paths: paths.toSorted() });
export const invalidKeyName = (key: string, path: string, ...details: string[]): Finding => ({
  message: `invalid key name ${JSON.stringify(key)}`,
  paths: [path],
  ...(details.length === 0 ? {} : { details: details.join(', ') }),
});
export const outOfBounds = (value: unknown, lower: unknown, upper: unknown, path: string): Finding => ({
  message: `expected ${shown(lower)} <= ${shown(value)} <= ${shown(upper)}`,
  paths: [path],
});
export const generic = (message: string, ...paths: string[]): Finding => ({ message, paths });

/** The findings with `prefix` in front of every path: `viaField('spec', …)`; an empty path becomes the prefix itself. */
export function viaField(prefix: string, findings: readonly Finding[]): Finding[] {
  return findings.map((finding) => ({ ...finding, paths: finding.paths.map((path) => joinPath(prefix, path)) }));
}

/** `viaField` for the element `index` of a list field. */
export function viaIndex(field: string, index: number, findings: readonly Finding[]): Finding[] {
  return viaField(`${field}[${index}]`, findings);
}

function joinPath(prefix: string, path: string): string {
  if (path === '') return prefix;
  return path.startsWith('[') ? prefix + path : `${prefix}.${path}`;
}

/** The text of all findings: equal ones merged (paths joined), sorted, one a line. */
export function findingsText(findings: readonly Finding[]): string {
  const merged = new Map<string, { message: string; details: string | undefined; paths: Set<string> }>();
  for (const { message, details, paths } of findings) {
    const key = `${message}\u0000${details ?? ''}`;
    const known = merged.get(key) ?? { message, details, paths: new Set<string>() };
    for (const path of paths) known.paths.add(path);
    merged.set(key, known);
  }
  const lines = [...merged.values()].map(({ message, details, paths }) => {
    const head = paths.size === 0 ? message : `${message}: ${[...paths].toSorted().join(', ')}`;
    return details === undefined || details === '' ? head : `${head}\n${details}`;
  });
  return lines.toSorted().join('\n');
}

/** The 400 with which a Knative webhook refuses an object. */
export function denied(webhook: string, findings: readonly Finding[]): StatusError {
  return deniedWith(webhook, `validation failed: ${findingsText(findings)}`);
}

/** The same for a refusal in free words. */
export function deniedWith(webhook: string, message: string): StatusError {
  return new StatusError('BadRequest', `admission webhook "${webhook}" denied the request: ${message}`);
}

function shown(value: unknown): string {
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value);
}
