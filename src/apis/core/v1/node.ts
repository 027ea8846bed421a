import { nodeColumns } from '#apis/core/v1/node-columns.ts';
import { nodeConfigSourceSchema, nodeStatusSchema } from '#apis/core/v1/node-status.ts';
import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { fieldForbidden, type FieldError } from '#apis/meta/field-error.ts';
import { checkLabelValue, checkQualifiedName } from '#apis/meta/names.ts';
import { each, invalidFor, requiredName } from '#apis/meta/validation.ts';
import { boolean, enumeration, list, listSet, object, required, string, time, type Infer } from '#apis/schema.ts';

const core = 'io.k8s.api.core.v1';

export const taintSchema = object(`${core}.Taint`, {
  key: [1, required(string())],
  value: [2, string()],
  effect: [3, required(enumeration(['NoExecute', 'NoSchedule', 'PreferNoSchedule']))],
  timeAdded: [4, time()],
});
export interface Taint extends Infer<typeof taintSchema> {}

export const nodeSpecSchema = object(`${core}.NodeSpec`, {
  podCIDR: [1, string()],
  externalID: [2, string()],
  providerID: [3, string()],
  unschedulable: [4, boolean()],
  taints: [5, list(taintSchema)],
  configSource: [6, nodeConfigSourceSchema],
  podCIDRs: [7, listSet(string(), { 'x-kubernetes-patch-strategy': 'merge' })],
});
export interface NodeSpec extends Infer<typeof nodeSpecSchema> {}

export const nodeSchema = kindSchema(`${core}.Node`, {
  spec: [2, nodeSpecSchema],
  status: [3, nodeStatusSchema],
});
export interface Node extends Infer<typeof nodeSchema> {}

function taintErrors(taints: readonly Taint[]): readonly FieldError[] {
  const seen = new Set<string>();
  return each(taints, 'spec.taints', ({ key, value = '', effect }, field) => {
    const errors = [
      ...requiredName(`${field}.key`, key, checkQualifiedName),
      ...invalidFor(`${field}.value`, value, checkLabelValue(value)),
    ];
    const identity = `${key}:${effect}`;
    if (seen.has(identity))
      errors.push({ type: 'FieldValueDuplicate', field, message: 'Duplicate value: taints must be unique by key and effect pair' });
    seen.add(identity);
    return errors;
  });
}

export const nodeDefinition = defineBuiltin<Node>({
  group: '',
  kind: 'Node',
  plural: 'nodes',
  shortNames: ['no'],
  namespaced: false,
  hasGeneration: false,
  versions: [{ name: 'v1', schema: nodeSchema, served: true, columns: nodeColumns }],
  selectableFields: ({ spec }) => ({ 'spec.unschedulable': String(spec.unschedulable ?? false) }),
  validate: ({ spec }, { old }) => [
    ...taintErrors(spec.taints ?? []),
    ...(old !== undefined && (old.spec.providerID ?? '') !== '' && spec.providerID !== old.spec.providerID
      ? [fieldForbidden('spec.providerID', 'node updates may not change providerID except from "" to valid')]
      : []),
  ],
});
export const nodes = resourceOf(nodeDefinition);
