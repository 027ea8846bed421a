import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { bindingColumns } from '#apis/rbac/v1/binding-columns.ts';
import { roleRefSchema, subjectSchema } from '#apis/rbac/v1/policy-rule.ts';
import { setBindingDefaults, validateBinding } from '#apis/rbac/v1/validate-rbac.ts';
import { list, required, type Infer } from '#apis/schema.ts';

const rbac = 'io.k8s.api.rbac.v1';

export const clusterRoleBindingSchema = kindSchema(`${rbac}.ClusterRoleBinding`, {
  subjects: [2, list(subjectSchema)],
  roleRef: [3, required(roleRefSchema)],
});
export interface ClusterRoleBinding extends Infer<typeof clusterRoleBindingSchema> {}

export const clusterRoleBindingDefinition = defineBuiltin<ClusterRoleBinding>({
  group: 'rbac.authorization.k8s.io',
  kind: 'ClusterRoleBinding',
  plural: 'clusterrolebindings',
  namespaced: false,
  versions: [{ name: 'v1', schema: clusterRoleBindingSchema, served: true, columns: bindingColumns }],
  default: setBindingDefaults,
  validate: (binding, { old }) => validateBinding(binding, false, old),
});
export const clusterRoleBindings = resourceOf(clusterRoleBindingDefinition);
