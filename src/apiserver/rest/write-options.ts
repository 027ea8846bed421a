import { fieldInvalid, fieldNotSupported, fieldRequired, invalid, type FieldError } from '#apis/meta/field-error.ts';
import type { ResourceCall } from '#apiserver/context.ts';

export type FieldValidation = 'Ignore' | 'Warn' | 'Strict';

/** Query parameters of create, update and patch, checked. */
export interface WriteOptions {
  readonly dryRun: boolean;
  readonly fieldManager: string;
  readonly fieldValidation: FieldValidation;
  readonly force: boolean | undefined;
}

const maxManagerLength = 128;
const validations = ['Ignore', 'Warn', 'Strict'];

/** StatusError 422 for parameters that make no sense. */
export function parseWriteOptions(
  call: ResourceCall,
  kind: 'CreateOptions' | 'UpdateOptions' | 'PatchOptions',
  apply = false,
): WriteOptions {
  const { query, headers } = call.request;
  const errors: FieldError[] = [];
  const dryRun = dryRunOf(query.getAll('dryRun'), errors);
  const given = query.get('fieldManager') ?? '';
  const validation = query.get('fieldValidation') ?? '';
  if (validation !== '' && !validations.includes(validation))
    errors.push(fieldNotSupported('fieldValidation', validation, ['', ...validations]));
  if (apply && given === '') errors.push(fieldRequired('fieldManager', 'is required for apply patch'));
  if (given.length > maxManagerLength)
    errors.push({ type: 'FieldValueTooLong', field: 'fieldManager', message: `Too long: may not be more than ${maxManagerLength} bytes` });
  if (!/^[\p{L}\p{M}\p{N}\p{P}\p{S} ]*$/u.test(given))
    errors.push(fieldInvalid('fieldManager', given, 'should only contain printable characters'));
  const force = query.get('force') ?? '';
  if (force !== '' && !apply)
    errors.push({ type: 'FieldValueForbidden', field: 'force', message: 'Forbidden: may not be specified for non-apply patch' });
  if (errors.length > 0) throw invalid('meta.k8s.io', kind, '', errors);
  return {
    dryRun,
    fieldManager: given === '' ? managerFromAgent(headers['user-agent']) : given,
    fieldValidation: validation === '' ? 'Warn' : (validation as FieldValidation),
    force: force === '' ? undefined : force === 'true' || force === '1',
  };
}

/** `All` or nothing; anything else is a finding. */
export function dryRunOf(values: readonly string[], errors: FieldError[]): boolean {
  const given = values.filter((value) => value !== '');
  for (const value of given) if (value !== 'All') errors.push(fieldNotSupported('dryRun', value, ['All']));
  return given.length > 0;
}

/** As kube-apiserver: what stands before the first slash of the User-Agent. */
function managerFromAgent(agent: string | undefined): string {
  const manager =
    (agent ?? '')
      .split('/')[0]
      ?.replaceAll(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, '')
      .slice(0, maxManagerLength) ?? '';
  return manager === '' ? 'unknown' : manager;
}
