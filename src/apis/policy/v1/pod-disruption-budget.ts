import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn, column } from '#apis/meta/columns.ts';
import { fieldInvalid } from '#apis/meta/field-error.ts';
import { conditionSchema, labelSelectorSchema } from '#apis/meta/object.ts';
import { countOrShare, labelSelectorErrors } from '#apis/meta/validation.ts';
import { enumeration, int32, int64, intOrString, listMap, map, object, time, type Infer } from '#apis/schema.ts';

const policy = 'io.k8s.api.policy.v1';

export const podDisruptionBudgetSpecSchema = object(`${policy}.PodDisruptionBudgetSpec`, {
  minAvailable: [1, intOrString()],
  selector: [2, { ...labelSelectorSchema, 'x-kubernetes-patch-strategy': 'replace' }],
  maxUnavailable: [3, intOrString()],
  unhealthyPodEvictionPolicy: [4, enumeration(['AlwaysAllow', 'IfHealthyBudget'])],
});
export interface PodDisruptionBudgetSpec extends Infer<typeof podDisruptionBudgetSpecSchema> {}

export const podDisruptionBudgetStatusSchema = object(`${policy}.PodDisruptionBudgetStatus`, {
  observedGeneration: [1, int64()],
  disruptedPods: [2, map(time())],
  disruptionsAllowed: [3, int32()],
  currentHealthy: [4, int32()],
  desiredHealthy: [5, int32()],
  expectedPods: [6, int32()],
  conditions: [7, listMap(conditionSchema, ['type'])],
});
export interface PodDisruptionBudgetStatus extends Infer<typeof podDisruptionBudgetStatusSchema> {}

export const podDisruptionBudgetSchema = kindSchema(`${policy}.PodDisruptionBudget`, {
  spec: [2, podDisruptionBudgetSpecSchema],
  status: [3, podDisruptionBudgetStatusSchema],
});
export interface PodDisruptionBudget extends Infer<typeof podDisruptionBudgetSchema> {}

export const podDisruptionBudgetDefinition = defineBuiltin<PodDisruptionBudget>({
  group: 'policy',
  kind: 'PodDisruptionBudget',
  plural: 'poddisruptionbudgets',
  shortNames: ['pdb'],
  versions: [
    {
      name: 'v1',
      schema: podDisruptionBudgetSchema,
      served: true,
      columns: [
        column<PodDisruptionBudget>('Min Available', ({ spec }) => String(spec.minAvailable ?? 'N/A')),
        column<PodDisruptionBudget>('Max Unavailable', ({ spec }) => String(spec.maxUnavailable ?? 'N/A')),
        column<PodDisruptionBudget>('Allowed Disruptions', ({ status }) => status?.disruptionsAllowed ?? 0, 'integer'),
        ageColumn,
      ],
    },
  ],
  validate: ({ spec }) => [
    ...(spec.minAvailable !== undefined && spec.maxUnavailable !== undefined
      ? [fieldInvalid('spec', spec, 'minAvailable and maxUnavailable cannot be both set')]
      : []),
    ...countOrShare('spec.minAvailable', spec.minAvailable),
    ...countOrShare('spec.maxUnavailable', spec.maxUnavailable),
    ...labelSelectorErrors('spec.selector', spec.selector),
  ],
});
export const podDisruptionBudgets = resourceOf(podDisruptionBudgetDefinition);
