import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { bindingColumns } from '#apis/rbac/v1/binding-columns.ts';
import { roleRefSchema, subjectSchema } from '#apis/rbac/v1/policy-rule.ts';
import { setBindingDefaults, validateBinding } from '#apis/rbac/v1/validate-rbac.ts';
import { list, required, type Infer } from '#apis/schema.ts';

const rbac = 'io.k8s.api.rbac.v1';

export const roleBindingSchema = kindSchema(`${rbac}.RoleBinding`, {
  subjects: [2, list(subjectSchema)],
  roleRef: [3, required(roleRefSchema)],
});
export interface RoleBinding extends Infer<typeof roleBindingSchema> {}

export const roleBindingDefinition = defineBuiltin<RoleBinding>({
  group: 'rbac.authorization.k8s.io',
  kind: 'RoleBinding',
  plural: 'rolebindings',
  versions: [{ name: 'v1', schema: roleBindingSchema, served: true, columns: bindingColumns }],
  default: setBindingDefaults,
  validate: (binding, { old }) => validateBinding(binding, true, old),
});
export const roleBindings = resourceOf(roleBindingDefinition);
