import type { RuleWithOperations, WebhookClientConfig } from '#apis/admissionregistration/v1/webhook.ts';
import { fieldDuplicate, fieldInvalid, fieldNotSupported, fieldRequired, type FieldError } from '#apis/meta/field-error.ts';
import { checkDns1123Subdomain } from '#apis/meta/names.ts';
import type { LabelSelector } from '#apis/meta/object.ts';
import { each, inRange, labelSelectorErrors, requiredText, type Errors } from '#apis/meta/validation.ts';

interface Webhook {
  readonly name: string;
  readonly clientConfig: WebhookClientConfig;
  readonly rules?: readonly RuleWithOperations[];
  readonly sideEffects: string;
  readonly timeoutSeconds?: number;
  readonly admissionReviewVersions: readonly string[];
  readonly namespaceSelector?: LabelSelector;
  readonly objectSelector?: LabelSelector;
}

const operations = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE'];

export function validateWebhooks(webhooks: readonly Webhook[] | undefined): Errors {
  const names = new Set<string>();
  return each(webhooks, 'webhooks', (webhook, field) => {
    const errors: FieldError[] = [...nameErrors(webhook.name, `${field}.name`)];
    if (names.has(webhook.name)) errors.push(fieldDuplicate(`${field}.name`, webhook.name));
    names.add(webhook.name);
    if (webhook.admissionReviewVersions.length === 0) {
      errors.push(fieldRequired(`${field}.admissionReviewVersions`, 'must specify one of v1, v1beta1'));
    }
    if (webhook.sideEffects !== 'None' && webhook.sideEffects !== 'NoneOnDryRun') {
      errors.push(fieldNotSupported(`${field}.sideEffects`, webhook.sideEffects, ['None', 'NoneOnDryRun']));
    }
    if (inRange('', webhook.timeoutSeconds, 1, 30).length > 0) {
      errors.push(fieldInvalid(`${field}.timeoutSeconds`, webhook.timeoutSeconds, 'the timeout value must be between 1 and 30 seconds'));
    }
    return [
      ...errors,
      ...each(webhook.rules, `${field}.rules`, ruleErrors),
      ...labelSelectorErrors(`${field}.namespaceSelector`, webhook.namespaceSelector),
      ...labelSelectorErrors(`${field}.objectSelector`, webhook.objectSelector),
      ...clientErrors(webhook.clientConfig, `${field}.clientConfig`),
    ];
  });
}

function nameErrors(name: string, field: string): Errors {
  if (name === '') return [fieldRequired(field)];
  const errors = checkDns1123Subdomain(name).map((text) => fieldInvalid(field, name, text));
  if (name.split('.').length < 3)
    errors.push(fieldInvalid(field, name, 'should be a domain with at least three segments separated by dots'));
  return errors;
}

function ruleErrors(rule: RuleWithOperations, at: string): Errors {
  const errors: FieldError[] = [];
  for (const key of ['operations', 'apiGroups', 'apiVersions', 'resources'] as const) {
    if ((rule[key] ?? []).length === 0) errors.push(fieldRequired(`${at}.${key}`));
  }
  return [
    ...errors,
    ...each(rule.operations, `${at}.operations`, (operation, field) =>
      operations.includes(operation) ? [] : [fieldNotSupported(field, operation, operations)],
    ),
  ];
}

function clientErrors({ url, service }: WebhookClientConfig, at: string): Errors {
  if ((url === undefined) === (service === undefined)) return [fieldRequired(at, 'exactly one of url or service is required')];
  if (service !== undefined) {
    return [...requiredText(`${at}.service.name`, service.name), ...requiredText(`${at}.service.namespace`, service.namespace)];
  }
  const target = url ?? '';
  if (!URL.canParse(target)) return [fieldRequired(`${at}.url`, 'url must be a valid URL')];
  const { protocol } = new URL(target);
  return protocol === 'https:' ? [] : [fieldInvalid(`${at}.url`, protocol.slice(0, -1), "'https' is the only allowed URL scheme")];
}
