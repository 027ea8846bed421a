import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn, column } from '#apis/meta/columns.ts';
import { fieldInvalid, fieldRequired } from '#apis/meta/field-error.ts';
import { conditionSchema } from '#apis/meta/object.ts';
import { positive, requiredText } from '#apis/meta/validation.ts';
import { boolean, bytes, int32, listMap, object, required, string, type Infer } from '#apis/schema.ts';

const apiregistration = 'io.k8s.kube-aggregator.pkg.apis.apiregistration.v1';

export const apiServiceSpecSchema = object(`${apiregistration}.APIServiceSpec`, {
  service: object(`${apiregistration}.ServiceReference`, { namespace: string(), name: string(), port: int32({ default: 443 }) }),
  group: string(),
  version: string(),
  insecureSkipTLSVerify: boolean(),
  caBundle: bytes(),
  groupPriorityMinimum: required(int32({ default: 0 })),
  versionPriority: required(int32({ default: 0 })),
});

export const apiServiceSchema = kindSchema(`${apiregistration}.APIService`, {
  spec: apiServiceSpecSchema,
  status: object(`${apiregistration}.APIServiceStatus`, { conditions: listMap(conditionSchema, ['type']) }),
});
export interface APIService extends Infer<typeof apiServiceSchema> {}

function availability({ status }: APIService): string {
  const condition = status?.conditions?.find(({ type }) => type === 'Available');
  if (condition === undefined) return 'Unknown';
  return condition.status === 'True' ? 'True' : `${condition.status} (${condition.reason ?? ''})`;
}

export const apiServiceDefinition = defineBuiltin<APIService>({
  group: 'apiregistration.k8s.io',
  kind: 'APIService',
  plural: 'apiservices',
  categories: ['api-extensions'],
  namespaced: false,
  versions: [
    {
      name: 'v1',
      schema: apiServiceSchema,
      served: true,
      columns: [
        column<APIService>('Service', ({ spec }) =>
          spec.service === undefined ? 'Local' : `${spec.service.namespace}/${spec.service.name}`,
        ),
        column('Available', availability),
        ageColumn,
      ],
    },
  ],
  validate: ({ metadata, spec }) => {
    const expected = `${spec.version ?? ''}.${spec.group ?? ''}`;
    return [
      ...(metadata.name === expected ? [] : [fieldInvalid('metadata.name', metadata.name, '`spec.version+"."+spec.group`')]),
      ...requiredText('spec.version', spec.version),
      ...positive('spec.groupPriorityMinimum', spec.groupPriorityMinimum),
      ...positive('spec.versionPriority', spec.versionPriority),
      ...(spec.service !== undefined && spec.insecureSkipTLSVerify === true && spec.caBundle !== undefined
        ? [fieldInvalid('spec.insecureSkipTLSVerify', true, 'may not be true if caBundle is present')]
        : []),
      ...(spec.service !== undefined && (spec.service.name ?? '') === '' ? [fieldRequired('spec.service.name')] : []),
    ];
  },
});
export const apiServices = resourceOf(apiServiceDefinition);
