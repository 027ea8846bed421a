import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { createdAtColumn } from '#apis/meta/columns.ts';
import { fieldDuplicate, fieldForbidden, fieldInvalid, fieldRequired, type FieldError } from '#apis/meta/field-error.ts';
import { checkQualifiedName } from '#apis/meta/names.ts';
import { canonicalQuantity, compareQuantities, formatQuantity, parseQuantity, quantityToNumber } from '#apis/meta/quantity.ts';
import { each, invalidFor } from '#apis/meta/validation.ts';
import { list, map, object, quantity, required, string, type Infer } from '#apis/schema.ts';

const core = 'io.k8s.api.core.v1';

export const limitRangeItemSchema = object(`${core}.LimitRangeItem`, {
  type: [1, required(string())],
  max: [2, map(quantity())],
  min: [3, map(quantity())],
  default: [4, map(quantity())],
  defaultRequest: [5, map(quantity())],
  maxLimitRequestRatio: [6, map(quantity())],
});
export interface LimitRangeItem extends Infer<typeof limitRangeItemSchema> {}

export const limitRangeSpecSchema = object(`${core}.LimitRangeSpec`, {
  limits: [1, required(list(limitRangeItemSchema, { default: [] }))],
});
export interface LimitRangeSpec extends Infer<typeof limitRangeSpecSchema> {}

export const limitRangeSchema = kindSchema(`${core}.LimitRange`, {
  spec: [2, limitRangeSpecSchema],
});
export interface LimitRange extends Infer<typeof limitRangeSchema> {}

/** For containers a default limit is the maximum, and a default request the default limit or the minimum. */
function setLimitDefaults({ limits }: LimitRangeSpec): void {
  for (const item of limits) {
    if (item.type !== 'Container') continue;
    if (item.max !== undefined) item.default = { ...item.max, ...item.default };
    const requests = { ...item.min, ...item.default, ...item.defaultRequest };
    if (Object.keys(requests).length > 0) item.defaultRequest = requests;
  }
}

/** Pairs of bounds that must be in order, with Kubernetes' words for each. */
const orders = [
  ['min', 'max', 'min', 'max'],
  ['min', 'defaultRequest', 'min', 'default request'],
  ['defaultRequest', 'max', 'default request', 'max'],
  ['defaultRequest', 'default', 'default request', 'default limit'],
  ['default', 'max', 'default', 'max'],
] as const;

function boundErrors(item: LimitRangeItem, at: string): readonly FieldError[] {
  if (item.type === 'Pod' && (item.default ?? item.defaultRequest) !== undefined) return [];
  return orders.flatMap(([low, high, lowWord, highWord]) =>
    Object.entries(item[low] ?? {}).flatMap(([name, amount]) => {
      const bound = item[high]?.[name];
      if (bound === undefined || compareQuantities(parseQuantity(amount), parseQuantity(bound)) <= 0) return [];
      const value = formatQuantity(parseQuantity(amount));
      const text = `${lowWord} value ${value} is greater than ${highWord} value ${formatQuantity(parseQuantity(bound))}`;
      return [fieldInvalid(`${at}.${low}[${name}]`, value, text)];
    }),
  );
}

const standardTypes = new Set(['Pod', 'Container', 'PersistentVolumeClaim']);

function typeErrors(type: string, field: string): readonly FieldError[] {
  const errors = invalidFor(field, type, checkQualifiedName(type));
  if (errors.length > 0 || type.includes('/') || standardTypes.has(type)) return errors;
  return [fieldInvalid(field, type, 'must be a standard limit type or fully qualified')];
}

/** Defaults are for containers, bounds of storage for claims. */
function shapeErrors(item: LimitRangeItem, field: string): readonly FieldError[] {
  const errors: FieldError[] = [];
  for (const key of ['default', 'defaultRequest'] as const)
    if (item.type === 'Pod' && Object.keys(item[key] ?? {}).length > 0)
      errors.push(fieldForbidden(`${field}.${key}`, "may not be specified when `type` is 'Pod'"));
  if (item.type === 'PersistentVolumeClaim' && item.min?.['storage'] === undefined && item.max?.['storage'] === undefined)
    errors.push(fieldRequired(`${field}.limits`, 'either minimum or maximum storage value is required, but neither was provided'));
  return errors;
}

/** A ratio of limit to request is at least one, and no more than the bounds allow. */
function ratioErrors({ min, max, maxLimitRequestRatio }: LimitRangeItem, field: string): readonly FieldError[] {
  return Object.entries(maxLimitRequestRatio ?? {}).flatMap(([name, amount]) => {
    const at = `${field}.maxLimitRequestRatio[${name}]`;
    const [text, ratio] = [canonicalQuantity(amount), numberOf(amount)];
    if (ratio < 1) return [fieldInvalid(at, text, `ratio ${text} is less than 1`)];
    const [low, high] = [min?.[name], max?.[name]];
    if (low === undefined || high === undefined || numberOf(low) === 0) return [];
    const widest = numberOf(high) / numberOf(low);
    return ratio > widest ? [fieldInvalid(at, text, `ratio ${text} is greater than max/min = ${widest.toFixed(6)}`)] : [];
  });
}

const numberOf = (amount: string | number): number => quantityToNumber(parseQuantity(amount));

export const limitRangeDefinition = defineBuiltin<LimitRange>({
  group: '',
  kind: 'LimitRange',
  plural: 'limitranges',
  shortNames: ['limits'],
  hasGeneration: false,
  versions: [{ name: 'v1', schema: limitRangeSchema, served: true, columns: [createdAtColumn] }],
  default: ({ spec }) => setLimitDefaults(spec),
  validate: ({ spec }) => {
    const types = new Set<string>();
    return each(spec.limits, 'spec.limits', (item, field) => {
      const errors: FieldError[] = [...typeErrors(item.type, `${field}.type`)];
      if (types.has(item.type)) errors.push(fieldDuplicate(`${field}.type`, item.type));
      types.add(item.type);
      return [...errors, ...shapeErrors(item, field), ...boundErrors(item, field), ...ratioErrors(item, field)];
    });
  },
});
export const limitRanges = resourceOf(limitRangeDefinition);
