import { StatusError } from '#apis/meta/status.ts';

export type FieldErrorType =
  | 'FieldValueNotFound'
  | 'FieldValueRequired'
  | 'FieldValueDuplicate'
  | 'FieldValueInvalid'
  | 'FieldValueNotSupported'
  | 'FieldValueForbidden'
  | 'FieldValueTooLong'
  | 'FieldValueTooMany'
  | 'InternalError'
  | 'FieldValueTypeInvalid';

/** One finding of validation, with Kubernetes' own wording (k8s.io/apimachinery field.Error). */
export interface FieldError {
  readonly type: FieldErrorType;
  /** Path such as `spec.template.spec.containers[0].image`. */
  readonly field: string;
  /** The whole text without the field: `Invalid value: "x": must be …`, `Required value`. */
  readonly message: string;
}

export const fieldRequired = (field: string, detail = ''): FieldError => make('FieldValueRequired', field, 'Required value', detail);
export const fieldInvalid = (field: string, value: unknown, detail: string): FieldError =>
  make('FieldValueInvalid', field, `Invalid value: ${quoted(value)}`, detail);
export const fieldTypeInvalid = (field: string, value: unknown, detail: string): FieldError =>
  make('FieldValueTypeInvalid', field, `Invalid value: ${quoted(value)}`, detail);
export const fieldForbidden = (field: string, detail: string): FieldError => make('FieldValueForbidden', field, 'Forbidden', detail);
export const fieldDuplicate = (field: string, value: unknown): FieldError =>
  make('FieldValueDuplicate', field, `Duplicate value: ${quoted(value)}`, '');
export const fieldNotFound = (field: string, value: unknown): FieldError =>
  make('FieldValueNotFound', field, `Not found: ${quoted(value)}`, '');
export const fieldNotSupported = (field: string, value: unknown, supported: readonly string[]): FieldError =>
  make(
    'FieldValueNotSupported',
    field,
    `Unsupported value: ${quoted(value)}`,
    `supported values: ${supported.map((one) => JSON.stringify(one)).join(', ')}`,
  );
export const fieldTooLong = (field: string, maxLength: number): FieldError =>
  make('FieldValueTooLong', field, 'Too long', `may not be more than ${maxLength} bytes`);
export const fieldTooMany = (field: string, actual: number, max: number): FieldError =>
  make('FieldValueTooMany', field, `Too many: ${actual}`, `must have at most ${max} items`);

/** 422 Invalid for a list of findings: `Deployment.apps "x" is invalid: [a: Required value, b: …]`. */
export function invalid(group: string, kind: string, name: string, errors: readonly FieldError[]): StatusError {
  const texts = errors.map((error) => `${error.field}: ${error.message}`);
  const subject = group === '' ? kind : `${kind}.${group}`;
  return new StatusError('Invalid', `${subject} "${name}" is invalid: ${texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`}`, {
    details: {
      ...(name === '' ? {} : { name }),
      ...(group === '' ? {} : { group }),
      ...(kind === '' ? {} : { kind }),
      causes: errors.map((error) => ({ reason: error.type, message: error.message, field: error.field })),
    },
  });
}

function make(type: FieldErrorType, field: string, head: string, detail: string): FieldError {
  return { type, field, message: detail === '' ? head : `${head}: ${detail}` };
}

function quoted(value: unknown): string {
  if (typeof value === 'string' || (typeof value === 'object' && value !== null)) return JSON.stringify(value);
  return String(value);
}
