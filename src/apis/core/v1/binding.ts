import { objectReferenceSchema } from '#apis/core/v1/references.ts';
import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { fieldNotSupported } from '#apis/meta/field-error.ts';
import { requiredText } from '#apis/meta/validation.ts';
import { required, type Infer } from '#apis/schema.ts';

const core = 'io.k8s.api.core.v1';

export const bindingSchema = kindSchema(`${core}.Binding`, {
  target: [2, required(objectReferenceSchema)],
});
export interface Binding extends Infer<typeof bindingSchema> {}

export const bindingDefinition = defineBuiltin<Binding>({
  group: '',
  kind: 'Binding',
  plural: 'bindings',
  verbs: ['create'],
  versions: [{ name: 'v1', schema: bindingSchema, served: true }],
  validate: ({ target }) => [
    ...((target.kind ?? '') === '' || target.kind === 'Node' ? [] : [fieldNotSupported('target.kind', target.kind, ['Node', '<empty>'])]),
    ...requiredText('target.name', target.name),
  ],
});
export const bindings = resourceOf(bindingDefinition);
