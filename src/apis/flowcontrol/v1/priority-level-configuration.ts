import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn, column } from '#apis/meta/columns.ts';
import { fieldForbidden, fieldRequired } from '#apis/meta/field-error.ts';
import { conditionSchema } from '#apis/meta/object.ts';
import { enumeration, int32, listMap, object, required, type Infer } from '#apis/schema.ts';

const flowcontrol = 'io.k8s.api.flowcontrol.v1';

const limitResponseSchema = object(`${flowcontrol}.LimitResponse`, {
  type: required(enumeration(['Queue', 'Reject'])),
  queuing: object(`${flowcontrol}.QueuingConfiguration`, {
    queues: int32({ default: 64 }),
    handSize: int32({ default: 8 }),
    queueLengthLimit: int32({ default: 50 }),
  }),
});

export const priorityLevelConfigurationSpecSchema = object(`${flowcontrol}.PriorityLevelConfigurationSpec`, {
  type: required(enumeration(['Exempt', 'Limited'])),
  limited: object(`${flowcontrol}.LimitedPriorityLevelConfiguration`, {
    nominalConcurrencyShares: int32({ default: 30 }),
    limitResponse: { ...limitResponseSchema, default: { type: 'Reject' } },
    lendablePercent: int32({ default: 0 }),
    borrowingLimitPercent: int32(),
  }),
  exempt: object(`${flowcontrol}.ExemptPriorityLevelConfiguration`, {
    nominalConcurrencyShares: int32({ default: 0 }),
    lendablePercent: int32({ default: 0 }),
  }),
});

export const priorityLevelConfigurationSchema = kindSchema(`${flowcontrol}.PriorityLevelConfiguration`, {
  spec: priorityLevelConfigurationSpecSchema,
  status: object(`${flowcontrol}.PriorityLevelConfigurationStatus`, { conditions: listMap(conditionSchema, ['type']) }),
});
export interface PriorityLevelConfiguration extends Infer<typeof priorityLevelConfigurationSchema> {}

const queuing = ({ spec }: PriorityLevelConfiguration) => spec.limited?.limitResponse?.queuing;

export const priorityLevelConfigurationDefinition = defineBuiltin<PriorityLevelConfiguration>({
  group: 'flowcontrol.apiserver.k8s.io',
  kind: 'PriorityLevelConfiguration',
  plural: 'prioritylevelconfigurations',
  namespaced: false,
  versions: [
    {
      name: 'v1',
      schema: priorityLevelConfigurationSchema,
      served: true,
      columns: [
        column<PriorityLevelConfiguration>('Type', ({ spec }) => spec.type),
        column<PriorityLevelConfiguration>('NominalConcurrencyShares', ({ spec }) =>
          String((spec.limited ?? spec.exempt)?.nominalConcurrencyShares ?? '<none>'),
        ),
        column<PriorityLevelConfiguration>('Queues', (level) => String(queuing(level)?.queues ?? '<none>')),
        column<PriorityLevelConfiguration>('HandSize', (level) => String(queuing(level)?.handSize ?? '<none>')),
        column<PriorityLevelConfiguration>('QueueLengthLimit', (level) => String(queuing(level)?.queueLengthLimit ?? '<none>')),
        ageColumn,
      ],
    },
  ],
  validate: ({ spec }) => {
    if (spec.type === 'Exempt') {
      return spec.limited === undefined ? [] : [fieldForbidden('spec.limited', 'must be nil if the type is not Limited')];
    }
    if (spec.limited === undefined) return [fieldRequired('spec.limited', 'must not be empty when type is Limited')];
    return spec.exempt === undefined ? [] : [fieldForbidden('spec.exempt', 'must be nil if the type is Limited')];
  },
});
export const priorityLevelConfigurations = resourceOf(priorityLevelConfigurationDefinition);
