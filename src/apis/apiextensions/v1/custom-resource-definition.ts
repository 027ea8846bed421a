import { jsonSchemaPropsSchema } from '#apis/apiextensions/v1/json-schema-props.ts';
import { setDefinitionDefaults, validateDefinition, validateDefinitionUpdate } from '#apis/apiextensions/v1/validate-definition.ts';
import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { createdAtColumn } from '#apis/meta/columns.ts';
import {
  boolean,
  bytes,
  enumeration,
  int32,
  int64,
  list,
  listMapReplaced,
  object,
  required,
  string,
  time,
  type Infer,
} from '#apis/schema.ts';

const apiextensions = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1';

export const serviceReferenceSchema = object(`${apiextensions}.ServiceReference`, {
  name: required(string()),
  namespace: required(string()),
  path: string(),
  port: int32({ default: 443 }),
});
export interface ServiceReference extends Infer<typeof serviceReferenceSchema> {}

export const webhookClientConfigSchema = object(`${apiextensions}.WebhookClientConfig`, {
  caBundle: bytes(),
  service: serviceReferenceSchema,
  url: string(),
});
export interface WebhookClientConfig extends Infer<typeof webhookClientConfigSchema> {}

export const webhookConversionSchema = object(`${apiextensions}.WebhookConversion`, {
  clientConfig: webhookClientConfigSchema,
  conversionReviewVersions: required(list(string())),
});
export interface WebhookConversion extends Infer<typeof webhookConversionSchema> {}

export const customResourceConversionSchema = object(`${apiextensions}.CustomResourceConversion`, {
  strategy: required(enumeration(['None', 'Webhook'])),
  webhook: webhookConversionSchema,
});
export interface CustomResourceConversion extends Infer<typeof customResourceConversionSchema> {}

export const customResourceDefinitionNamesSchema = object(`${apiextensions}.CustomResourceDefinitionNames`, {
  categories: list(string()),
  kind: required(string()),
  listKind: string(),
  plural: required(string()),
  shortNames: list(string()),
  singular: string(),
});
export interface CustomResourceDefinitionNames extends Infer<typeof customResourceDefinitionNamesSchema> {}

export const customResourceColumnDefinitionSchema = object(`${apiextensions}.CustomResourceColumnDefinition`, {
  description: string(),
  format: string(),
  jsonPath: required(string()),
  name: required(string()),
  priority: int32(),
  type: required(string()),
});
export interface CustomResourceColumnDefinition extends Infer<typeof customResourceColumnDefinitionSchema> {}

export const customResourceValidationSchema = object(`${apiextensions}.CustomResourceValidation`, {
  openAPIV3Schema: jsonSchemaPropsSchema,
});
export interface CustomResourceValidation extends Infer<typeof customResourceValidationSchema> {}

export const customResourceSubresourceStatusSchema = object(`${apiextensions}.CustomResourceSubresourceStatus`, {});
export interface CustomResourceSubresourceStatus extends Infer<typeof customResourceSubresourceStatusSchema> {}

export const customResourceSubresourceScaleSchema = object(`${apiextensions}.CustomResourceSubresourceScale`, {
  labelSelectorPath: string(),
  specReplicasPath: required(string()),
  statusReplicasPath: required(string()),
});
export interface CustomResourceSubresourceScale extends Infer<typeof customResourceSubresourceScaleSchema> {}

export const customResourceSubresourcesSchema = object(`${apiextensions}.CustomResourceSubresources`, {
  scale: customResourceSubresourceScaleSchema,
  status: customResourceSubresourceStatusSchema,
});
export interface CustomResourceSubresources extends Infer<typeof customResourceSubresourcesSchema> {}

export const selectableFieldSchema = object(`${apiextensions}.SelectableField`, {
  jsonPath: required(string()),
});
export interface SelectableField extends Infer<typeof selectableFieldSchema> {}

export const customResourceDefinitionVersionSchema = object(`${apiextensions}.CustomResourceDefinitionVersion`, {
  additionalPrinterColumns: list(customResourceColumnDefinitionSchema),
  deprecated: boolean(),
  deprecationWarning: string(),
  name: required(string()),
  schema: customResourceValidationSchema,
  selectableFields: list(selectableFieldSchema),
  served: required(boolean({ default: false })),
  storage: required(boolean({ default: false })),
  subresources: customResourceSubresourcesSchema,
});
export interface CustomResourceDefinitionVersion extends Infer<typeof customResourceDefinitionVersionSchema> {}

export const customResourceDefinitionSpecSchema = object(`${apiextensions}.CustomResourceDefinitionSpec`, {
  conversion: { ...customResourceConversionSchema, default: { strategy: 'None' } },
  group: required(string()),
  names: required(customResourceDefinitionNamesSchema),
  preserveUnknownFields: boolean(),
  scope: required(enumeration(['Cluster', 'Namespaced'])),
  versions: required(list(customResourceDefinitionVersionSchema)),
});
export interface CustomResourceDefinitionSpec extends Infer<typeof customResourceDefinitionSpecSchema> {}

export const customResourceDefinitionConditionSchema = object(`${apiextensions}.CustomResourceDefinitionCondition`, {
  lastTransitionTime: time(),
  message: string(),
  observedGeneration: int64(),
  reason: string(),
  status: required(string()),
  type: required(string()),
});
export interface CustomResourceDefinitionCondition extends Infer<typeof customResourceDefinitionConditionSchema> {}

export const customResourceDefinitionStatusSchema = object(`${apiextensions}.CustomResourceDefinitionStatus`, {
  acceptedNames: customResourceDefinitionNamesSchema,
  conditions: listMapReplaced(customResourceDefinitionConditionSchema, ['type']),
  observedGeneration: int64(),
  storedVersions: list(string()),
});
export interface CustomResourceDefinitionStatus extends Infer<typeof customResourceDefinitionStatusSchema> {}

export const customResourceDefinitionSchema = kindSchema(`${apiextensions}.CustomResourceDefinition`, {
  spec: customResourceDefinitionSpecSchema,
  status: customResourceDefinitionStatusSchema,
});
export interface CustomResourceDefinition extends Infer<typeof customResourceDefinitionSchema> {}

export const customResourceDefinitionDefinition = defineBuiltin<CustomResourceDefinition>({
  group: 'apiextensions.k8s.io',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  shortNames: ['crd', 'crds'],
  categories: ['api-extensions'],
  namespaced: false,
  versions: [{ name: 'v1', schema: customResourceDefinitionSchema, served: true, columns: [createdAtColumn] }],
  default: setDefinitionDefaults,
  validate: (definition, { old }) => [
    ...validateDefinition(definition),
    ...(old === undefined ? [] : validateDefinitionUpdate(definition, old)),
  ],
});
export const customResourceDefinitions = resourceOf(customResourceDefinitionDefinition);
