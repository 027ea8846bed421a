import { requiredText } from '#apis/meta/validation.ts';
import { fieldInvalid, fieldNotSupported, fieldRequired } from '#apis/meta/field-error.ts';
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

const actions = ['Audit', 'Deny', 'Warn'];

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
  validate: ({ spec }) => {
    const at = 'spec.validationActions';
    const unknown = spec.validationActions.filter((action) => !actions.includes(action));
    return [
      ...requiredText('spec.policyName', spec.policyName),
      ...(spec.validationActions.length === 0 ? [fieldRequired(at, 'at least one validation action is required')] : []),
      ...unknown.map((action) => fieldNotSupported(at, action, actions)),
      ...(spec.validationActions.includes('Deny') && spec.validationActions.includes('Warn')
        ? [
            fieldInvalid(
              at,
              spec.validationActions,
              'must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)',
            ),
          ]
        : []),
    ];
  },
});
export const validatingAdmissionPolicyBindings = resourceOf(validatingAdmissionPolicyBindingDefinition);
