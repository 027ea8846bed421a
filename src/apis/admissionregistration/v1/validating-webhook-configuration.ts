import { validateWebhooks } from '#apis/admissionregistration/v1/validate-webhooks.ts';
import { webhookFields } from '#apis/admissionregistration/v1/webhook.ts';
import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn, column } from '#apis/meta/columns.ts';
import { listMap, object, type Infer } from '#apis/schema.ts';

const admissionregistration = 'io.k8s.api.admissionregistration.v1';

export const validatingWebhookSchema = object(`${admissionregistration}.ValidatingWebhook`, webhookFields);
export interface ValidatingWebhook extends Infer<typeof validatingWebhookSchema> {}

export const validatingWebhookConfigurationSchema = kindSchema(`${admissionregistration}.ValidatingWebhookConfiguration`, {
  webhooks: listMap(validatingWebhookSchema, ['name']),
});
export interface ValidatingWebhookConfiguration extends Infer<typeof validatingWebhookConfigurationSchema> {}

export const validatingWebhookConfigurationDefinition = defineBuiltin<ValidatingWebhookConfiguration>({
  group: 'admissionregistration.k8s.io',
  kind: 'ValidatingWebhookConfiguration',
  plural: 'validatingwebhookconfigurations',
  categories: ['api-extensions'],
  namespaced: false,
  versions: [
    {
      name: 'v1',
      schema: validatingWebhookConfigurationSchema,
      served: true,
      columns: [column<ValidatingWebhookConfiguration>('Webhooks', ({ webhooks }) => webhooks?.length ?? 0, 'integer'), ageColumn],
    },
  ],
  validate: ({ webhooks }) => validateWebhooks(webhooks),
});
export const validatingWebhookConfigurations = resourceOf(validatingWebhookConfigurationDefinition);
