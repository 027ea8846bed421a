import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { createdAtColumn } from '#apis/meta/columns.ts';
import { policyRuleSchema } from '#apis/rbac/v1/policy-rule.ts';
import { validateRules } from '#apis/rbac/v1/validate-rbac.ts';
import { list, type Infer } from '#apis/schema.ts';

const rbac = 'io.k8s.api.rbac.v1';

export const roleSchema = kindSchema(`${rbac}.Role`, {
  rules: [2, list(policyRuleSchema)],
});
export interface Role extends Infer<typeof roleSchema> {}

export const roleDefinition = defineBuiltin<Role>({
  group: 'rbac.authorization.k8s.io',
  kind: 'Role',
  plural: 'roles',
  versions: [{ name: 'v1', schema: roleSchema, served: true, columns: [createdAtColumn] }],
  validate: ({ rules }) => validateRules(rules, true),
});
export const roles = resourceOf(roleDefinition);
