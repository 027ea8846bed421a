import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn, column } from '#apis/meta/columns.ts';
import { checkDns1123Subdomain } from '#apis/meta/names.ts';
import { conditionSchema } from '#apis/meta/object.ts';
import { inRange, requiredName } from '#apis/meta/validation.ts';
import { boolean, enumeration, int32, list, listMap, listSet, object, required, string, type Infer } from '#apis/schema.ts';

const flowcontrol = 'io.k8s.api.flowcontrol.v1';

const named = (kind: string) => object(`${flowcontrol}.${kind}`, { name: required(string()) });

const resourceRuleSchema = object(`${flowcontrol}.ResourcePolicyRule`, {
  verbs: required(listSet(string())),
  apiGroups: required(listSet(string())),
  resources: required(listSet(string())),
  clusterScope: boolean(),
  namespaces: listSet(string()),
});
const nonResourceRuleSchema = object(`${flowcontrol}.NonResourcePolicyRule`, {
  verbs: required(listSet(string())),
  nonResourceURLs: required(listSet(string())),
});
const subjectSchema = object(`${flowcontrol}.Subject`, {
  kind: required(enumeration(['Group', 'ServiceAccount', 'User'])),
  user: named('UserSubject'),
  group: named('GroupSubject'),
  serviceAccount: object(`${flowcontrol}.ServiceAccountSubject`, { namespace: required(string()), name: required(string()) }),
});
const rulesSchema = object(`${flowcontrol}.PolicyRulesWithSubjects`, {
  subjects: required(list(subjectSchema)),
  resourceRules: list(resourceRuleSchema),
  nonResourceRules: list(nonResourceRuleSchema),
});

export const flowSchemaSpecSchema = object(`${flowcontrol}.FlowSchemaSpec`, {
  priorityLevelConfiguration: required(named('PriorityLevelConfigurationReference')),
  matchingPrecedence: int32({ default: 1000 }),
  distinguisherMethod: object(`${flowcontrol}.FlowDistinguisherMethod`, { type: required(enumeration(['ByNamespace', 'ByUser'])) }),
  rules: list(rulesSchema),
});

export const flowSchemaSchema = kindSchema(`${flowcontrol}.FlowSchema`, {
  spec: flowSchemaSpecSchema,
  status: object(`${flowcontrol}.FlowSchemaStatus`, { conditions: listMap(conditionSchema, ['type']) }),
});
export interface FlowSchema extends Infer<typeof flowSchemaSchema> {}

function isDangling({ status }: FlowSchema): string {
  const condition = status?.conditions?.find(({ type }) => type === 'Dangling');
  return condition === undefined ? '?' : condition.status;
}

export const flowSchemaDefinition = defineBuiltin<FlowSchema>({
  group: 'flowcontrol.apiserver.k8s.io',
  kind: 'FlowSchema',
  plural: 'flowschemas',
  namespaced: false,
  versions: [
    {
      name: 'v1',
      schema: flowSchemaSchema,
      served: true,
      columns: [
        column<FlowSchema>('PriorityLevel', ({ spec }) => spec.priorityLevelConfiguration.name),
        column<FlowSchema>('MatchingPrecedence', ({ spec }) => spec.matchingPrecedence ?? 0, 'integer'),
        column<FlowSchema>('DistinguisherMethod', ({ spec }) => spec.distinguisherMethod?.type ?? '<none>'),
        ageColumn,
        column('MissingPL', isDangling),
      ],
    },
  ],
  validate: ({ spec }) => [
    ...inRange('spec.matchingPrecedence', spec.matchingPrecedence, 1, 10_000),
    ...requiredName('spec.priorityLevelConfiguration.name', spec.priorityLevelConfiguration.name, checkDns1123Subdomain),
  ],
});
export const flowSchemas = resourceOf(flowSchemaDefinition);
