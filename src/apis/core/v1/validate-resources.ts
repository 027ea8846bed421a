import type { ResourceRequirements } from '#apis/core/v1/container.ts';
import { fieldInvalid, type FieldError } from '#apis/meta/field-error.ts';
import { checkQualifiedName } from '#apis/meta/names.ts';
import { compareQuantities, formatQuantity, tryParseQuantity } from '#apis/meta/quantity.ts';
import { invalidFor, type Errors } from '#apis/meta/validation.ts';

const standardResources = new Set(['cpu', 'memory', 'ephemeral-storage']);
const nanoPerUnit = 1_000_000_000n;

/** A quantity that is not negative; quantities that cannot be read are the decoder's to refuse. */
export function quantityErrors(field: string, value: string | number | undefined): Errors {
  const quantity = tryParseQuantity(value);
  if (quantity === undefined || quantity.nanos >= 0n) return [];
  return [fieldInvalid(field, formatQuantity(quantity), 'must be greater than or equal to 0')];
}

/** Findings about limits and requests of a container: names, amounts, and requests above limits. */
export function validateResources({ limits = {}, requests = {} }: ResourceRequirements, at: string): Errors {
  const errors: FieldError[] = [];
  for (const [name, amount] of Object.entries(limits)) errors.push(...resourceErrors(name, amount, `${at}.limits[${name}]`));
  for (const [name, amount] of Object.entries(requests)) {
    errors.push(...resourceErrors(name, amount, `${at}.requests[${name}]`), ...requestErrors(name, amount, limits[name], `${at}.requests`));
  }
  return errors;
}

function resourceErrors(name: string, amount: string | number, field: string): Errors {
  const errors: FieldError[] = [...invalidFor(field, name, checkQualifiedName(name))];
  if (errors.length > 0) return errors;
  if (!name.includes('/') && !isStandard(name)) {
    errors.push(fieldInvalid(field, name, 'must be a standard resource type or fully qualified'));
    errors.push(fieldInvalid(field, name, 'must be a standard resource for containers'));
  }
  errors.push(...quantityErrors(field, amount));
  const quantity = tryParseQuantity(amount);
  if (isExtended(name) && quantity !== undefined && quantity.nanos % nanoPerUnit !== 0n) {
    errors.push(fieldInvalid(field, formatQuantity(quantity), 'must be an integer'));
  }
  return errors;
}

function requestErrors(name: string, amount: string | number, limitAmount: string | number | undefined, field: string): Errors {
  const request = tryParseQuantity(amount);
  const limit = tryParseQuantity(limitAmount);
  if (request === undefined || limit === undefined) return [];
  const order = compareQuantities(request, limit);
  const exact = isExtended(name) || name.startsWith('hugepages-');
  if (order <= 0 && !(exact && order !== 0)) return [];
  const relation = exact ? 'equal to' : 'less than or equal to';
  return [fieldInvalid(field, formatQuantity(request), `must be ${relation} ${name} limit of ${formatQuantity(limit)}`)];
}

const isStandard = (name: string): boolean => standardResources.has(name) || name.startsWith('hugepages-');
/** Devices and the like, which come in whole pieces and cannot be overcommitted. */
const isExtended = (name: string): boolean => name.includes('/') && !name.split('/')[0]?.endsWith('kubernetes.io');
