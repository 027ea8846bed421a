import type { Column } from '#apis/definition.ts';
import { ageColumn, column, wideColumn } from '#apis/meta/columns.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import type { RoleRef, Subject } from '#apis/rbac/v1/policy-rule.ts';

interface Binding extends KubeObject {
  roleRef: RoleRef;
  subjects?: Subject[];
}

function subjectsOf(kind: string, text: (subject: Subject) => string) {
  return ({ subjects = [] }: Binding) =>
    subjects
      .filter((subject) => subject.kind === kind)
      .map(text)
      .join(', ');
}

export const bindingColumns: readonly Column[] = [
  column<Binding>('Role', ({ roleRef }) => `${roleRef.kind}/${roleRef.name}`),
  ageColumn,
  wideColumn(
    'Users',
    subjectsOf('User', ({ name }) => name),
  ),
  wideColumn(
    'Groups',
    subjectsOf('Group', ({ name }) => name),
  ),
  wideColumn(
    'ServiceAccounts',
    subjectsOf('ServiceAccount', ({ name, namespace = '' }) => `${namespace}/${name}`),
  ),
];
