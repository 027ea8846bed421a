import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn, column } from '#apis/meta/columns.ts';
import { fieldRequired } from '#apis/meta/field-error.ts';
import { controllerOf } from '#apis/meta/object.ts';
import { immutable, nonNegative } from '#apis/meta/validation.ts';
import { anything, int64, required, type Infer } from '#apis/schema.ts';

const apps = 'io.k8s.api.apps.v1';

export const controllerRevisionSchema = kindSchema(`${apps}.ControllerRevision`, {
  data: [2, anything()],
  revision: [3, required(int64({ default: 0 }))],
});
export interface ControllerRevision extends Infer<typeof controllerRevisionSchema> {}

/** `statefulset.apps/web` */
function controllerText(object: ControllerRevision): string {
  const owner = controllerOf(object);
  if (owner === undefined) return '<none>';
  const group = owner.apiVersion.includes('/') ? `.${owner.apiVersion.split('/')[0]}` : '';
  return `${owner.kind.toLowerCase()}${group}/${owner.name}`;
}

export const controllerRevisionDefinition = defineBuiltin<ControllerRevision>({
  group: 'apps',
  kind: 'ControllerRevision',
  plural: 'controllerrevisions',
  versions: [
    {
      name: 'v1',
      schema: controllerRevisionSchema,
      served: true,
      columns: [
        column('Controller', controllerText),
        column<ControllerRevision>('Revision', ({ revision }) => revision, 'integer'),
        ageColumn,
      ],
    },
  ],
  validate: ({ revision, data }, { old }) => [
    ...(data === undefined ? [fieldRequired('data', 'data is mandatory')] : []),
    ...nonNegative('revision', revision),
    ...(old === undefined ? [] : immutable('data', data, old.data)),
  ],
});
export const controllerRevisions = resourceOf(controllerRevisionDefinition);
