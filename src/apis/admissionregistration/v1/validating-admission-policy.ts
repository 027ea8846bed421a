import { each, requiredText } from '#apis/meta/validation.ts';
import { fieldRequired } from '#apis/meta/field-error.ts';
import { matchResourcesSchema, paramKindSchema, variableSchema } from '#apis/admissionregistration/v1/match-resources.ts';
import { matchConditionSchema } from '#apis/admissionregistration/v1/webhook.ts';
import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn, column } from '#apis/meta/columns.ts';
import { conditionSchema } from '#apis/meta/object.ts';
import { enumeration, int64, list, listMap, listMapReplaced, object, required, string, type Infer } from '#apis/schema.ts';

const admissionregistration = 'io.k8s.api.admissionregistration.v1';

export const validationSchema = object(`${admissionregistration}.Validation`, {
  expression: required(string()),
  message: string(),
  messageExpression: string(),
  reason: string(),
});
export interface Validation extends Infer<typeof validationSchema> {}

export const auditAnnotationSchema = object(`${admissionregistration}.AuditAnnotation`, {
  key: required(string()),
  valueExpression: required(string()),
});
export interface AuditAnnotation extends Infer<typeof auditAnnotationSchema> {}

export const expressionWarningSchema = object(`${admissionregistration}.ExpressionWarning`, {
  fieldRef: required(string()),
  warning: required(string()),
});
export interface ExpressionWarning extends Infer<typeof expressionWarningSchema> {}

export const typeCheckingSchema = object(`${admissionregistration}.TypeChecking`, {
  expressionWarnings: list(expressionWarningSchema),
});
export interface TypeChecking extends Infer<typeof typeCheckingSchema> {}

export const validatingAdmissionPolicySpecSchema = object(`${admissionregistration}.ValidatingAdmissionPolicySpec`, {
  auditAnnotations: list(auditAnnotationSchema),
  failurePolicy: enumeration(['Fail', 'Ignore'], { default: 'Fail' }),
  matchConditions: listMap(matchConditionSchema, ['name']),
  matchConstraints: matchResourcesSchema,
  paramKind: paramKindSchema,
  validations: list(validationSchema),
  variables: listMap(variableSchema, ['name']),
});
export interface ValidatingAdmissionPolicySpec extends Infer<typeof validatingAdmissionPolicySpecSchema> {}

export const validatingAdmissionPolicyStatusSchema = object(`${admissionregistration}.ValidatingAdmissionPolicyStatus`, {
  conditions: listMapReplaced(conditionSchema, ['type']),
  observedGeneration: int64(),
  typeChecking: typeCheckingSchema,
});
export interface ValidatingAdmissionPolicyStatus extends Infer<typeof validatingAdmissionPolicyStatusSchema> {}

export const validatingAdmissionPolicySchema = kindSchema(`${admissionregistration}.ValidatingAdmissionPolicy`, {
  spec: validatingAdmissionPolicySpecSchema,
  status: validatingAdmissionPolicyStatusSchema,
});
export interface ValidatingAdmissionPolicy extends Infer<typeof validatingAdmissionPolicySchema> {}

export const validatingAdmissionPolicyDefinition = defineBuiltin<ValidatingAdmissionPolicy>({
  group: 'admissionregistration.k8s.io',
  kind: 'ValidatingAdmissionPolicy',
  plural: 'validatingadmissionpolicies',
  categories: ['api-extensions'],
  namespaced: false,
  versions: [
    {
      name: 'v1',
      schema: validatingAdmissionPolicySchema,
      served: true,
      columns: [
        column<ValidatingAdmissionPolicy>('Validations', ({ spec }) => spec.validations?.length ?? 0, 'integer'),
        column<ValidatingAdmissionPolicy>('ParamKind', ({ spec }) =>
          spec.paramKind === undefined ? '<unset>' : `${spec.paramKind.apiVersion}/${spec.paramKind.kind}`,
        ),
        ageColumn,
      ],
    },
  ],
  validate: ({ spec }) => [
    ...(spec.matchConstraints === undefined ? [fieldRequired('spec.matchConstraints')] : []),
    ...((spec.validations ?? []).length + (spec.auditAnnotations ?? []).length === 0
      ? [fieldRequired('spec.validations', 'validations or auditAnnotations must contain at least one item')]
      : []),
    ...each(spec.validations, 'spec.validations', ({ expression }, field) =>
      requiredText(`${field}.expression`, expression.trim(), 'expression is not specified'),
    ),
  ],
});
export const validatingAdmissionPolicies = resourceOf(validatingAdmissionPolicyDefinition);
