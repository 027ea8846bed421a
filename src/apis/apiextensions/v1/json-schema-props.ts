import { anything, schemaName, type Schema } from '#apis/schema.ts';

/**
 * `openAPIV3Schema` of a CustomResourceDefinition. It is recursive, so it is kept as given here; what a structural schema may
 * hold is checked where the definition is compiled.
 */
export const jsonSchemaPropsSchema = anything<Schema>({
  type: 'object',
  [schemaName]: 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps',
});
