import { jsonEqual } from '#apis/meta/equal.ts';
import { fieldInvalid, fieldNotSupported, fieldRequired, type FieldError } from '#apis/meta/field-error.ts';
import { checkDns1123Subdomain, checkPathSegment } from '#apis/meta/names.ts';
import { each, requiredName, requiredText, type Errors } from '#apis/meta/validation.ts';
import type { PolicyRule, RoleRef, Subject } from '#apis/rbac/v1/policy-rule.ts';

export const rbacGroup = 'rbac.authorization.k8s.io';

export function validateRules(rules: readonly PolicyRule[] | undefined, namespaced: boolean): Errors {
  return each(rules, 'rules', ({ verbs, apiGroups = [], resources = [], nonResourceURLs = [] }, field) => {
    const errors: FieldError[] = [];
    if (verbs.length === 0) errors.push(fieldRequired(`${field}.verbs`, 'verbs must contain at least one value'));
    if (nonResourceURLs.length > 0) {
      const urls = `${field}.nonResourceURLs`;
      if (namespaced) errors.push(fieldInvalid(urls, nonResourceURLs, 'namespaced rules cannot apply to non-resource URLs'));
      if (apiGroups.length > 0 || resources.length > 0) {
        errors.push(fieldInvalid(urls, nonResourceURLs, 'rules cannot apply to both regular resources and non-resource URLs'));
      }
      return errors;
    }
    if (apiGroups.length === 0) errors.push(fieldRequired(`${field}.apiGroups`, 'resource rules must supply at least one api group'));
    if (resources.length === 0) errors.push(fieldRequired(`${field}.resources`, 'resource rules must supply at least one resource'));
    return errors;
  });
}

interface Binding {
  readonly roleRef: RoleRef;
  readonly subjects?: readonly Subject[];
}

/** Kinds of role a binding may refer to, users and groups to the RBAC group unless they say otherwise. */
export function setBindingDefaults({ roleRef, subjects = [] }: Binding): void {
  if ((roleRef.apiGroup ?? '') === '') roleRef.apiGroup = rbacGroup;
  for (const subject of subjects) {
    if ((subject.apiGroup ?? '') === '' && subject.kind !== 'ServiceAccount') subject.apiGroup = rbacGroup;
  }
}

export function validateBinding({ roleRef, subjects }: Binding, namespaced: boolean, old: Binding | undefined): Errors {
  const kinds = namespaced ? ['Role', 'ClusterRole'] : ['ClusterRole'];
  const errors: FieldError[] = [];
  if (roleRef.apiGroup !== rbacGroup) errors.push(fieldNotSupported('roleRef.apiGroup', roleRef.apiGroup, [rbacGroup]));
  if (!kinds.includes(roleRef.kind)) errors.push(fieldNotSupported('roleRef.kind', roleRef.kind, kinds));
  errors.push(...requiredName('roleRef.name', roleRef.name, checkPathSegment));
  errors.push(...each(subjects, 'subjects', (subject, field) => subjectErrors(subject, field, namespaced)));
  if (old !== undefined && !jsonEqual(roleRef, old.roleRef)) errors.push(fieldInvalid('roleRef', roleRef, 'cannot change roleRef'));
  return errors;
}

function subjectErrors({ kind, name, namespace = '', apiGroup = '' }: Subject, field: string, namespaced: boolean): Errors {
  if (name === '') return [fieldRequired(`${field}.name`)];
  switch (kind) {
    case 'ServiceAccount':
      return [
        ...requiredName(`${field}.name`, name, checkDns1123Subdomain),
        ...(apiGroup === '' ? [] : [fieldNotSupported(`${field}.apiGroup`, apiGroup, [''])]),
        ...(namespaced ? [] : requiredText(`${field}.namespace`, namespace)),
      ];
    case 'User':
    case 'Group':
      return apiGroup === rbacGroup ? [] : [fieldNotSupported(`${field}.apiGroup`, apiGroup, [rbacGroup])];
    default:
      return [fieldNotSupported(`${field}.kind`, kind, ['ServiceAccount', 'User', 'Group'])];
  }
}
