import { jsonEqual } from '#apis/meta/equal.ts';
import { fieldForbidden, fieldInvalid, fieldRequired, type FieldError } from '#apis/meta/field-error.ts';
import { checkLabelValue, checkPercent, checkQualifiedName } from '#apis/meta/names.ts';
import type { LabelSelector, LabelSelectorRequirement } from '#apis/meta/object.ts';

export type Errors = readonly FieldError[];

/** One `Invalid value` finding for each text. */
export function invalidFor(field: string, value: unknown, texts: readonly string[]): Errors {
  return texts.map((text) => fieldInvalid(field, value, text));
}

/** `Required value` for an absent or empty text, else what `check` finds. */
export function requiredName(field: string, value: string | undefined, check: (value: string) => readonly string[]): Errors {
  if (value === undefined || value === '') return [fieldRequired(field)];
  return invalidFor(field, value, check(value));
}

/** What `check` finds about a text that may be left out. */
export function optionalName(field: string, value: string | undefined, check: (value: string) => readonly string[]): Errors {
  return value === undefined || value === '' ? [] : invalidFor(field, value, check(value));
}

export function requiredText(field: string, value: string | undefined, detail = ''): Errors {
  return value === undefined || value === '' ? [fieldRequired(field, detail)] : [];
}

export function nonNegative(field: string, value: number | undefined): Errors {
  return value !== undefined && value < 0 ? [fieldInvalid(field, value, 'must be greater than or equal to 0')] : [];
}

export function positive(field: string, value: number | undefined): Errors {
  return value !== undefined && value <= 0 ? [fieldInvalid(field, value, 'must be greater than 0')] : [];
}

export function inRange(field: string, value: number | undefined, low: number, high: number): Errors {
  if (value === undefined || (value >= low && value <= high)) return [];
  return [fieldInvalid(field, value, `must be between ${low} and ${high}, inclusive`)];
}

export function immutable(field: string, value: unknown, old: unknown): Errors {
  return jsonEqual(value, old) ? [] : [fieldInvalid(field, value ?? null, 'field is immutable')];
}

/** A count that is not negative, or a percentage. */
export function countOrPercent(field: string, value: number | string | undefined): Errors {
  if (value === undefined) return [];
  return typeof value === 'number' ? nonNegative(field, value) : invalidFor(field, value, checkPercent(value));
}

/** The same, of no more than all. */
export function countOrShare(field: string, value: number | string | undefined): Errors {
  const errors = countOrPercent(field, value);
  const tooMuch = errors.length === 0 && (percentOf(value) ?? 0) > 100;
  return tooMuch ? [fieldInvalid(field, value, 'must not be greater than 100%')] : errors;
}

/** The number in `25%`; undefined for a plain count. */
export function percentOf(value: number | string | undefined): number | undefined {
  return typeof value === 'string' && value.endsWith('%') ? Number(value.slice(0, -1)) : undefined;
}

/** Runs `check` on every element with its path. */
export function each<T>(items: readonly T[] | undefined, field: string, check: (item: T, at: string, index: number) => Errors): Errors {
  return (items ?? []).flatMap((item, index) => check(item, `${field}[${index}]`, index));
}

export function labelErrors(field: string, labels: Readonly<Record<string, string>> | undefined): Errors {
  return Object.entries(labels ?? {}).flatMap(([key, value]) => [
    ...invalidFor(field, key, checkQualifiedName(key)),
    ...invalidFor(field, value, checkLabelValue(value)),
  ]);
}

/** Findings about a label selector (metav1 validation.ValidateLabelSelector). */
export function labelSelectorErrors(field: string, selector: LabelSelector | undefined): Errors {
  return [
    ...labelErrors(`${field}.matchLabels`, selector?.matchLabels),
    ...each(selector?.matchExpressions, `${field}.matchExpressions`, requirement),
  ];
}

function requirement({ key, operator, values = [] }: LabelSelectorRequirement, at: string): Errors {
  const errors: FieldError[] = [];
  if (operator === 'In' || operator === 'NotIn') {
    if (values.length === 0) errors.push(fieldRequired(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
  } else if (operator === 'Exists' || operator === 'DoesNotExist') {
    if (values.length > 0)
      errors.push(fieldForbidden(`${at}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
  } else errors.push(fieldInvalid(`${at}.operator`, operator, 'not a valid selector operator'));
  errors.push(...invalidFor(`${at}.key`, key, checkQualifiedName(key)));
  for (const [index, value] of values.entries()) errors.push(...invalidFor(`${at}.values[${index}]`, value, checkLabelValue(value)));
  return errors;
}
