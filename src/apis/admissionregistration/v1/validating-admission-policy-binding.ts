import { matchResourcesSchema, paramRefSchema, paramRefText } from '#apis/admissionregistration/v1/match-resources.ts';
import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn, column } from '#apis/meta/columns.ts';
import { listSet, object, required, string, type Infer } from '#apis/schema.ts';

const admissionregistration = 'io.k8s.api.admissionregistration.v1';

export const validatingAdmissionPolicyBindingSpecSchema = object(`${admissionregistration}.ValidatingAdmissionPolicyBindingSpec`, {
  matchResources: matchResourcesSchema,
  paramRef: paramRefSchema,
  policyName: required(string()),
  validationActions: required(listSet(string())),
});
export interface ValidatingAdmissionPolicyBindingSpec extends Infer<typeof validatingAdmissionPolicyBindingSpecSchema> {}

export const validatingAdmissionPolicyBindingSchema = kindSchema(`${admissionregistration}.ValidatingAdmissionPolicyBinding`, {
  spec: validatingAdmissionPolicyBindingSpecSchema,
});
export interface ValidatingAdmissionPolicyBinding extends Infer<typeof validatingAdmissionPolicyBindingSchema> {}

export const validatingAdmissionPolicyBindingDefinition = defineBuiltin<ValidatingAdmissionPolicyBinding>({
  group: 'admissionregistration.k8s.io',
  kind: 'ValidatingAdmissionPolicyBinding',
  plural: 'validatingadmissionpolicybindings',
  categories: ['api-extensions'],
  namespaced: false,
  versions: [
    {
      name: 'v1',
      schema: validatingAdmissionPolicyBindingSchema,
      served: true,
      columns: [
        column<ValidatingAdmissionPolicyBinding>('PolicyName', ({ spec }) => spec.policyName ?? ''),
        column<ValidatingAdmissionPolicyBinding>('ParamRef', ({ spec }) => paramRefText(spec.paramRef)),
        ageColumn,
      ],
    },
  ],
});
export const validatingAdmissionPolicyBindings = resourceOf(validatingAdmissionPolicyBindingDefinition);
