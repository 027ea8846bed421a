import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn, column } from '#apis/meta/columns.ts';
import { fieldForbidden } from '#apis/meta/field-error.ts';
import { boolean, enumeration, int32, string, type Infer } from '#apis/schema.ts';

const scheduling = 'io.k8s.api.scheduling.v1';

export const priorityClassSchema = kindSchema(`${scheduling}.PriorityClass`, {
  value: [2, int32({ default: 0 })],
  globalDefault: [3, boolean()],
  description: [4, string()],
  preemptionPolicy: [5, enumeration(['Never', 'PreemptLowerPriority'], { default: 'PreemptLowerPriority' })],
});
export interface PriorityClass extends Infer<typeof priorityClassSchema> {}

const maxUserPriority = 1_000_000_000;
/** What every cluster has. Pods may name them whether the objects are there or not. */
export const systemPriorityClasses: readonly PriorityClass[] = [
  {
    metadata: { name: 'system-node-critical' },
    value: 2_000_001_000,
    description: 'Used for system critical pods that must not be moved from their current node.',
  },
  {
    metadata: { name: 'system-cluster-critical' },
    value: 2_000_000_000,
    description: 'Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.',
  },
];
const systemClasses = new Set(systemPriorityClasses.map(({ metadata }) => metadata.name));

export const priorityClassDefinition = defineBuiltin<PriorityClass>({
  group: 'scheduling.k8s.io',
  kind: 'PriorityClass',
  plural: 'priorityclasses',
  shortNames: ['pc'],
  namespaced: false,
  versions: [
    {
      name: 'v1',
      schema: priorityClassSchema,
      served: true,
      columns: [
        column<PriorityClass>('Value', ({ value }) => value ?? 0, 'integer'),
        column<PriorityClass>('Global-Default', ({ globalDefault }) => globalDefault ?? false, 'boolean'),
        ageColumn,
        column<PriorityClass>('PreemptionPolicy', ({ preemptionPolicy }) => preemptionPolicy ?? ''),
      ],
    },
  ],
  validate: ({ metadata, value = 0 }, { old }) => [
    ...(metadata.name?.startsWith('system-') === true && !systemClasses.has(metadata.name)
      ? [
          fieldForbidden(
            'metadata.name',
            "priority class names with 'system-' prefix are reserved for system use only. error: " +
              `${metadata.name} is not a known system priority class`,
          ),
        ]
      : []),
    ...(value > maxUserPriority && !systemClasses.has(metadata.name ?? '')
      ? [fieldForbidden('value', `maximum allowed value of a user defined priority is ${maxUserPriority}`)]
      : []),
    ...(old !== undefined && value !== (old.value ?? 0) ? [fieldForbidden('value', 'may not be changed in an update.')] : []),
  ],
});
export const priorityClasses = resourceOf(priorityClassDefinition);
