import { matchResourcesSchema, paramKindSchema, variableSchema } from '#apis/admissionregistration/v1/match-resources.ts';
import { matchConditionSchema } from '#apis/admissionregistration/v1/webhook.ts';
import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn, column } from '#apis/meta/columns.ts';
import { enumeration, list, listMap, object, required, string, type Infer } from '#apis/schema.ts';

const admissionregistration = 'io.k8s.api.admissionregistration.v1';

export const applyConfigurationSchema = object(`${admissionregistration}.ApplyConfiguration`, {
  expression: string(),
});
export interface ApplyConfiguration extends Infer<typeof applyConfigurationSchema> {}

export const jsonPatchSchema = object(`${admissionregistration}.JSONPatch`, {
  expression: string(),
});
export interface JSONPatch extends Infer<typeof jsonPatchSchema> {}

export const mutationSchema = object(`${admissionregistration}.Mutation`, {
  applyConfiguration: applyConfigurationSchema,
  jsonPatch: jsonPatchSchema,
  patchType: required(enumeration(['ApplyConfiguration', 'JSONPatch'])),
});
export interface Mutation extends Infer<typeof mutationSchema> {}

export const mutatingAdmissionPolicySpecSchema = object(`${admissionregistration}.MutatingAdmissionPolicySpec`, {
  failurePolicy: enumeration(['Fail', 'Ignore'], { default: 'Fail' }),
  matchConditions: listMap(matchConditionSchema, ['name']),
  matchConstraints: matchResourcesSchema,
  mutations: list(mutationSchema),
  paramKind: paramKindSchema,
  reinvocationPolicy: enumeration(['IfNeeded', 'Never']),
  variables: list(variableSchema),
});
export interface MutatingAdmissionPolicySpec extends Infer<typeof mutatingAdmissionPolicySpecSchema> {}

export const mutatingAdmissionPolicySchema = kindSchema(`${admissionregistration}.MutatingAdmissionPolicy`, {
  spec: mutatingAdmissionPolicySpecSchema,
});
export interface MutatingAdmissionPolicy extends Infer<typeof mutatingAdmissionPolicySchema> {}

export const mutatingAdmissionPolicyDefinition = defineBuiltin<MutatingAdmissionPolicy>({
  group: 'admissionregistration.k8s.io',
  kind: 'MutatingAdmissionPolicy',
  plural: 'mutatingadmissionpolicies',
  categories: ['api-extensions'],
  namespaced: false,
  versions: [
    {
      name: 'v1',
      schema: mutatingAdmissionPolicySchema,
      served: true,
      columns: [
        column<MutatingAdmissionPolicy>('Mutations', ({ spec }) => spec.mutations?.length ?? 0, 'integer'),
        column<MutatingAdmissionPolicy>('ParamKind', ({ spec }) =>
          spec.paramKind === undefined ? '<unset>' : `${spec.paramKind.apiVersion}/${spec.paramKind.kind}`,
        ),
        ageColumn,
      ],
    },
  ],
});
export const mutatingAdmissionPolicies = resourceOf(mutatingAdmissionPolicyDefinition);
