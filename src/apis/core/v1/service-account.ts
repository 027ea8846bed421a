import { localObjectReferenceSchema, objectReferenceSchema } from '#apis/core/v1/references.ts';
import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn, column } from '#apis/meta/columns.ts';
import { boolean, list, listMap, type Infer } from '#apis/schema.ts';

const core = 'io.k8s.api.core.v1';

export const serviceAccountSchema = kindSchema(`${core}.ServiceAccount`, {
  secrets: [2, listMap(objectReferenceSchema, ['name'])],
  imagePullSecrets: [3, list(localObjectReferenceSchema)],
  automountServiceAccountToken: [4, boolean()],
});
export interface ServiceAccount extends Infer<typeof serviceAccountSchema> {}

export const serviceAccountDefinition = defineBuiltin<ServiceAccount>({
  group: '',
  kind: 'ServiceAccount',
  plural: 'serviceaccounts',
  shortNames: ['sa'],
  versions: [
    {
      name: 'v1',
      schema: serviceAccountSchema,
      served: true,
      columns: [column<ServiceAccount>('Secrets', ({ secrets }) => secrets?.length ?? 0, 'integer'), ageColumn],
    },
  ],
});
export const serviceAccounts = resourceOf(serviceAccountDefinition);
