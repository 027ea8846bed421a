import { setPodSpecDefaults } from '#apis/core/v1/pod-defaults.ts';
import { podTemplateSpecSchema } from '#apis/core/v1/pod-spec.ts';
import { validatePodTemplate } from '#apis/core/v1/validate-pod-spec.ts';
import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { column, formatLabels } from '#apis/meta/columns.ts';
import { required, type Infer } from '#apis/schema.ts';

const core = 'io.k8s.api.core.v1';

export const podTemplateSchema = kindSchema(`${core}.PodTemplate`, {
  template: [2, required({ ...podTemplateSpecSchema, default: {} })],
});
export interface PodTemplate extends Infer<typeof podTemplateSchema> {}

export const podTemplateDefinition = defineBuiltin<PodTemplate>({
  group: '',
  kind: 'PodTemplate',
  plural: 'podtemplates',
  versions: [
    {
      name: 'v1',
      schema: podTemplateSchema,
      served: true,
      columns: [
        column<PodTemplate>('Containers', ({ template }) => (template.spec?.containers ?? []).map(({ name }) => name).join(',')),
        column<PodTemplate>('Images', ({ template }) => (template.spec?.containers ?? []).map(({ image = '' }) => image).join(',')),
        column<PodTemplate>('Pod Labels', ({ template }) => formatLabels(template.metadata?.labels)),
      ],
    },
  ],
  default: ({ template }) => setPodSpecDefaults(template.spec),
  validate: ({ template }) => validatePodTemplate(template, 'template'),
});
export const podTemplates = resourceOf(podTemplateDefinition);
