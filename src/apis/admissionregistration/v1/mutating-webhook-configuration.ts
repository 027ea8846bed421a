import { validateWebhooks } from '#apis/admissionregistration/v1/validate-webhooks.ts';
import { matchConditionSchema, ruleWithOperationsSchema, webhookClientConfigSchema } from '#apis/admissionregistration/v1/webhook.ts';
import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn, column } from '#apis/meta/columns.ts';
import { labelSelectorSchema } from '#apis/meta/object.ts';
import { enumeration, int32, list, listMap, object, required, string, type Infer } from '#apis/schema.ts';

const admissionregistration = 'io.k8s.api.admissionregistration.v1';

export const mutatingWebhookSchema = object(`${admissionregistration}.MutatingWebhook`, {
  admissionReviewVersions: required(list(string())),
  clientConfig: required(webhookClientConfigSchema),
  failurePolicy: enumeration(['Fail', 'Ignore'], { default: 'Fail' }),
  matchConditions: listMap(matchConditionSchema, ['name']),
  matchPolicy: enumeration(['Equivalent', 'Exact'], { default: 'Equivalent' }),
  name: required(string()),
  namespaceSelector: { ...labelSelectorSchema, default: {} },
  objectSelector: { ...labelSelectorSchema, default: {} },
  reinvocationPolicy: enumeration(['IfNeeded', 'Never'], { default: 'Never' }),
  rules: list(ruleWithOperationsSchema),
  sideEffects: required(enumeration(['None', 'NoneOnDryRun', 'Some', 'Unknown'])),
  timeoutSeconds: int32({ default: 10 }),
});
export interface MutatingWebhook extends Infer<typeof mutatingWebhookSchema> {}

export const mutatingWebhookConfigurationSchema = kindSchema(`${admissionregistration}.MutatingWebhookConfiguration`, {
  webhooks: listMap(mutatingWebhookSchema, ['name']),
});
export interface MutatingWebhookConfiguration extends Infer<typeof mutatingWebhookConfigurationSchema> {}

export const mutatingWebhookConfigurationDefinition = defineBuiltin<MutatingWebhookConfiguration>({
  group: 'admissionregistration.k8s.io',
  kind: 'MutatingWebhookConfiguration',
  plural: 'mutatingwebhookconfigurations',
  categories: ['api-extensions'],
  namespaced: false,
  versions: [
    {
      name: 'v1',
      schema: mutatingWebhookConfigurationSchema,
      served: true,
      columns: [column<MutatingWebhookConfiguration>('Webhooks', ({ webhooks }) => webhooks?.length ?? 0, 'integer'), ageColumn],
    },
  ],
  validate: ({ webhooks }) => validateWebhooks(webhooks),
});
export const mutatingWebhookConfigurations = resourceOf(mutatingWebhookConfigurationDefinition);
