import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { createdAtColumn } from '#apis/meta/columns.ts';
import { each, labelSelectorErrors } from '#apis/meta/validation.ts';
import { aggregationRuleSchema, policyRuleSchema } from '#apis/rbac/v1/policy-rule.ts';
import { validateRules } from '#apis/rbac/v1/validate-rbac.ts';
import { list, type Infer } from '#apis/schema.ts';

const rbac = 'io.k8s.api.rbac.v1';

export const clusterRoleSchema = kindSchema(`${rbac}.ClusterRole`, {
  rules: [2, list(policyRuleSchema)],
  aggregationRule: [3, aggregationRuleSchema],
});
export interface ClusterRole extends Infer<typeof clusterRoleSchema> {}

export const clusterRoleDefinition = defineBuiltin<ClusterRole>({
  group: 'rbac.authorization.k8s.io',
  kind: 'ClusterRole',
  plural: 'clusterroles',
  namespaced: false,
  versions: [{ name: 'v1', schema: clusterRoleSchema, served: true, columns: [createdAtColumn] }],
  validate: ({ rules, aggregationRule }) => [
    ...validateRules(rules, false),
    ...each(aggregationRule?.clusterRoleSelectors, 'aggregationRule.clusterRoleSelectors', (selector, field) =>
      labelSelectorErrors(field, selector),
    ),
  ],
});
export const clusterRoles = resourceOf(clusterRoleDefinition);
