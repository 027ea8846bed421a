import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn, column } from '#apis/meta/columns.ts';
import { checkQualifiedName } from '#apis/meta/names.ts';
import { each, invalidFor } from '#apis/meta/validation.ts';
import { enumeration, list, listMap, object, required, string, time, type Infer } from '#apis/schema.ts';

const core = 'io.k8s.api.core.v1';

export const namespaceSpecSchema = object(`${core}.NamespaceSpec`, {
  finalizers: [1, list(string())],
});
export interface NamespaceSpec extends Infer<typeof namespaceSpecSchema> {}

export const namespaceConditionSchema = object(`${core}.NamespaceCondition`, {
  type: [1, required(string())],
  status: [2, required(string())],
  lastTransitionTime: [4, time()],
  reason: [5, string()],
  message: [6, string()],
});
export interface NamespaceCondition extends Infer<typeof namespaceConditionSchema> {}

export const namespaceStatusSchema = object(`${core}.NamespaceStatus`, {
  phase: [1, enumeration(['Active', 'Terminating'])],
  conditions: [2, listMap(namespaceConditionSchema, ['type'])],
});
export interface NamespaceStatus extends Infer<typeof namespaceStatusSchema> {}

export const namespaceSchema = kindSchema(`${core}.Namespace`, {
  spec: [2, namespaceSpecSchema],
  status: [3, namespaceStatusSchema],
});
export interface Namespace extends Infer<typeof namespaceSchema> {}

export const namespaceDefinition = defineBuiltin<Namespace>({
  group: '',
  kind: 'Namespace',
  plural: 'namespaces',
  shortNames: ['ns'],
  namespaced: false,
  hasGeneration: false,
  versions: [
    {
      name: 'v1',
      schema: namespaceSchema,
      served: true,
      columns: [column<Namespace>('Status', ({ status }) => status?.phase ?? ''), ageColumn],
    },
  ],
  selectableFields: ({ status }) => ({ 'status.phase': status?.phase ?? '' }),
  /** Finalizers change through the finalize subresource alone. */
  prepare({ spec }, { old, subresource }) {
    if (old?.spec.finalizers !== undefined && subresource === '' && spec !== undefined) spec.finalizers = [...old.spec.finalizers];
  },
  default(namespace, { operation }) {
    const { metadata, spec } = namespace;
    metadata.labels = { ...metadata.labels, 'kubernetes.io/metadata.name': metadata.name ?? '' };
    if (operation === 'update') return;
    if (!(spec.finalizers ?? []).includes('kubernetes')) spec.finalizers = [...(spec.finalizers ?? []), 'kubernetes'];
    namespace.status = { phase: 'Active' };
  },
  validate: ({ spec }) =>
    each(spec.finalizers, 'spec.finalizers', (finalizer, field) => invalidFor(field, finalizer, checkQualifiedName(finalizer))),
});
export const namespaces = resourceOf(namespaceDefinition);
