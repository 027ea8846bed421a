import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn, column } from '#apis/meta/columns.ts';
import { immutable, requiredText } from '#apis/meta/validation.ts';
import { object, required, string, type Infer } from '#apis/schema.ts';

const networking = 'io.k8s.api.networking.v1';

export const ingressClassParametersReferenceSchema = object(`${networking}.IngressClassParametersReference`, {
  kind: [2, required(string())],
  name: [3, required(string())],
  scope: [4, string({ default: 'Cluster' })],
  namespace: [5, string()],
  apiGroup: [1, string()],
});
export interface IngressClassParametersReference extends Infer<typeof ingressClassParametersReferenceSchema> {}

export const ingressClassSpecSchema = object(`${networking}.IngressClassSpec`, {
  controller: [1, string()],
  parameters: [2, ingressClassParametersReferenceSchema],
});
export interface IngressClassSpec extends Infer<typeof ingressClassSpecSchema> {}

export const ingressClassSchema = kindSchema(`${networking}.IngressClass`, {
  spec: [2, ingressClassSpecSchema],
});
export interface IngressClass extends Infer<typeof ingressClassSchema> {}

function parametersText({ spec: { parameters } }: IngressClass): string {
  if (parameters === undefined) return '<none>';
  const group = parameters.apiGroup === undefined ? '' : `.${parameters.apiGroup}`;
  return `${parameters.kind}${group}/${parameters.name}`;
}

export const ingressClassDefinition = defineBuiltin<IngressClass>({
  group: 'networking.k8s.io',
  kind: 'IngressClass',
  plural: 'ingressclasses',
  namespaced: false,
  versions: [
    {
      name: 'v1',
      schema: ingressClassSchema,
      served: true,
      columns: [column<IngressClass>('Controller', ({ spec }) => spec.controller ?? ''), column('Parameters', parametersText), ageColumn],
    },
  ],
  validate: ({ spec }, { old }) => [
    ...requiredText('spec.controller', spec.controller),
    ...(spec.parameters?.scope === 'Namespace' ? requiredText('spec.parameters.namespace', spec.parameters.namespace) : []),
    ...(old === undefined ? [] : immutable('spec.controller', spec.controller, old.spec.controller)),
  ],
});
export const ingressClasses = resourceOf(ingressClassDefinition);
