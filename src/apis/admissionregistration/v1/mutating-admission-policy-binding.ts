import { matchResourcesSchema, paramRefSchema, paramRefText } from '#apis/admissionregistration/v1/match-resources.ts';
import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn, column } from '#apis/meta/columns.ts';
import { object, string, type Infer } from '#apis/schema.ts';

const admissionregistration = 'io.k8s.api.admissionregistration.v1';

export const mutatingAdmissionPolicyBindingSpecSchema = object(`${admissionregistration}.MutatingAdmissionPolicyBindingSpec`, {
  matchResources: matchResourcesSchema,
  paramRef: paramRefSchema,
  policyName: string(),
});
export interface MutatingAdmissionPolicyBindingSpec extends Infer<typeof mutatingAdmissionPolicyBindingSpecSchema> {}

export const mutatingAdmissionPolicyBindingSchema = kindSchema(`${admissionregistration}.MutatingAdmissionPolicyBinding`, {
  spec: mutatingAdmissionPolicyBindingSpecSchema,
});
export interface MutatingAdmissionPolicyBinding extends Infer<typeof mutatingAdmissionPolicyBindingSchema> {}

export const mutatingAdmissionPolicyBindingDefinition = defineBuiltin<MutatingAdmissionPolicyBinding>({
  group: 'admissionregistration.k8s.io',
  kind: 'MutatingAdmissionPolicyBinding',
  plural: 'mutatingadmissionpolicybindings',
  categories: ['api-extensions'],
  namespaced: false,
  versions: [
    {
      name: 'v1',
      schema: mutatingAdmissionPolicyBindingSchema,
      served: true,
      columns: [
        column<MutatingAdmissionPolicyBinding>('PolicyName', ({ spec }) => spec.policyName ?? ''),
        column<MutatingAdmissionPolicyBinding>('ParamRef', ({ spec }) => paramRefText(spec.paramRef)),
        ageColumn,
      ],
    },
  ],
});
export const mutatingAdmissionPolicyBindings = resourceOf(mutatingAdmissionPolicyBindingDefinition);
