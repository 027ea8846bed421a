import { createdAtColumn } from '#apis/meta/columns.ts';
import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
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
  limits: [1, required(list(limitRangeItemSchema))],
});
export interface LimitRangeSpec extends Infer<typeof limitRangeSpecSchema> {}

export const limitRangeSchema = kindSchema(`${core}.LimitRange`, {
  spec: [2, limitRangeSpecSchema],
});
export interface LimitRange extends Infer<typeof limitRangeSchema> {}

export const limitRangeDefinition = defineBuiltin<LimitRange>({
  group: '',
  kind: 'LimitRange',
  plural: 'limitranges',
  shortNames: ['limits'],
  hasGeneration: false,
  versions: [{ name: 'v1', schema: limitRangeSchema, served: true, columns: [createdAtColumn] }],
});
export const limitRanges = resourceOf(limitRangeDefinition);
