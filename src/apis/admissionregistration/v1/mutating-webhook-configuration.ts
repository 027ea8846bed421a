import { validateWebhooks } from '#apis/admissionregistration/v1/validate-webhooks.ts';
import { webhookFields } from '#apis/admissionregistration/v1/webhook.ts';
import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn, column } from '#apis/meta/columns.ts';
import { enumeration, listMap, object, type Infer } from '#apis/schema.ts';

const admissionregistration = 'io.k8s.api.admissionregistration.v1';

export const mutatingWebhookSchema = object(`${admissionregistration}.MutatingWebhook`, {
  ...webhookFields,
  reinvocationPolicy: enumeration(['IfNeeded', 'Never'], { default: 'Never' }),
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
