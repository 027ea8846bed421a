import { validateWorkload } from '#apis/apps/v1/validate-workload.ts';
import { setPodSpecDefaults } from '#apis/core/v1/pod-defaults.ts';
import { podTemplateSpecSchema } from '#apis/core/v1/pod-spec.ts';
import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn, column, formatLabelSelector, formatLabels, workloadColumns } from '#apis/meta/columns.ts';
import { labelSelectorSchema } from '#apis/meta/object.ts';
import { countOrPercent, immutable } from '#apis/meta/validation.ts';
import { enumeration, int32, int64, intOrString, listMap, object, required, string, time, type Infer } from '#apis/schema.ts';

const apps = 'io.k8s.api.apps.v1';

export const rollingUpdateDaemonSetSchema = object(`${apps}.RollingUpdateDaemonSet`, {
  maxUnavailable: [1, intOrString({ default: 1 })],
  maxSurge: [2, intOrString({ default: 0 })],
});
export interface RollingUpdateDaemonSet extends Infer<typeof rollingUpdateDaemonSetSchema> {}

export const daemonSetUpdateStrategySchema = object(`${apps}.DaemonSetUpdateStrategy`, {
  type: [1, enumeration(['OnDelete', 'RollingUpdate'], { default: 'RollingUpdate' })],
  rollingUpdate: [2, rollingUpdateDaemonSetSchema],
});
export interface DaemonSetUpdateStrategy extends Infer<typeof daemonSetUpdateStrategySchema> {}

export const daemonSetSpecSchema = object(`${apps}.DaemonSetSpec`, {
  selector: [1, required(labelSelectorSchema)],
  template: [2, required({ ...podTemplateSpecSchema, default: {} })],
  updateStrategy: [3, { ...daemonSetUpdateStrategySchema, default: {} }],
  minReadySeconds: [4, int32()],
  revisionHistoryLimit: [6, int32({ default: 10 })],
});
export interface DaemonSetSpec extends Infer<typeof daemonSetSpecSchema> {}

export const daemonSetConditionSchema = object(`${apps}.DaemonSetCondition`, {
  type: [1, required(string())],
  status: [2, required(string())],
  lastTransitionTime: [3, time()],
  reason: [4, string()],
  message: [5, string()],
});
export interface DaemonSetCondition extends Infer<typeof daemonSetConditionSchema> {}

export const daemonSetStatusSchema = object(`${apps}.DaemonSetStatus`, {
  currentNumberScheduled: [1, required(int32({ default: 0 }))],
  numberMisscheduled: [2, required(int32({ default: 0 }))],
  desiredNumberScheduled: [3, required(int32({ default: 0 }))],
  numberReady: [4, required(int32({ default: 0 }))],
  observedGeneration: [5, int64()],
  updatedNumberScheduled: [6, int32()],
  numberAvailable: [7, int32()],
  numberUnavailable: [8, int32()],
  collisionCount: [9, int32()],
  conditions: [10, listMap(daemonSetConditionSchema, ['type'])],
});
export interface DaemonSetStatus extends Infer<typeof daemonSetStatusSchema> {}

export const daemonSetSchema = kindSchema(`${apps}.DaemonSet`, {
  spec: [2, daemonSetSpecSchema],
  status: [3, daemonSetStatusSchema],
});
export interface DaemonSet extends Infer<typeof daemonSetSchema> {}

export const daemonSetDefinition = defineBuiltin<DaemonSet>({
  group: 'apps',
  kind: 'DaemonSet',
  plural: 'daemonsets',
  shortNames: ['ds'],
  categories: ['all'],
  versions: [
    {
      name: 'v1',
      schema: daemonSetSchema,
      served: true,
      columns: [
        column<DaemonSet>('Desired', ({ status }) => status?.desiredNumberScheduled ?? 0, 'integer'),
        column<DaemonSet>('Current', ({ status }) => status?.currentNumberScheduled ?? 0, 'integer'),
        column<DaemonSet>('Ready', ({ status }) => status?.numberReady ?? 0, 'integer'),
        column<DaemonSet>('Up-to-date', ({ status }) => status?.updatedNumberScheduled ?? 0, 'integer'),
        column<DaemonSet>('Available', ({ status }) => status?.numberAvailable ?? 0, 'integer'),
        column<DaemonSet>('Node Selector', ({ spec }) => formatLabels(spec.template.spec.nodeSelector)),
        ageColumn,
        ...workloadColumns<DaemonSet>(
          ({ spec }) => spec.template,
          ({ spec }) => formatLabelSelector(spec.selector),
        ),
      ],
    },
  ],
  default({ spec }) {
    setPodSpecDefaults(spec.template.spec);
    if (spec.updateStrategy?.type === 'RollingUpdate') {
      spec.updateStrategy.rollingUpdate = { maxSurge: 0, maxUnavailable: 1, ...spec.updateStrategy.rollingUpdate };
    }
  },
  validate: ({ spec }, { old }) => [
    ...validateWorkload(spec, 'daemonset'),
    ...countOrPercent('spec.updateStrategy.rollingUpdate.maxUnavailable', spec.updateStrategy?.rollingUpdate?.maxUnavailable),
    ...countOrPercent('spec.updateStrategy.rollingUpdate.maxSurge', spec.updateStrategy?.rollingUpdate?.maxSurge),
    ...(old === undefined ? [] : immutable('spec.selector', spec.selector, old.spec.selector)),
  ],
});
export const daemonSets = resourceOf(daemonSetDefinition);
