import { validateWorkload } from '#apis/apps/v1/validate-workload.ts';
import { setPodSpecDefaults } from '#apis/core/v1/pod-defaults.ts';
import { podTemplateSpecSchema } from '#apis/core/v1/pod-spec.ts';
import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { ageColumn, column, formatLabelSelector, workloadColumns } from '#apis/meta/columns.ts';
import { fieldForbidden, fieldInvalid, type FieldError } from '#apis/meta/field-error.ts';
import { labelSelectorSchema } from '#apis/meta/object.ts';
import { countOrPercent, immutable, nonNegative, percentOf } from '#apis/meta/validation.ts';
import { boolean, enumeration, int32, int64, intOrString, listMap, object, required, string, time, type Infer } from '#apis/schema.ts';

const apps = 'io.k8s.api.apps.v1';

export const rollingUpdateDeploymentSchema = object(`${apps}.RollingUpdateDeployment`, {
  maxUnavailable: [1, intOrString()],
  maxSurge: [2, intOrString()],
});
export interface RollingUpdateDeployment extends Infer<typeof rollingUpdateDeploymentSchema> {}

export const deploymentStrategySchema = object(`${apps}.DeploymentStrategy`, {
  type: [1, enumeration(['Recreate', 'RollingUpdate'], { default: 'RollingUpdate' })],
  rollingUpdate: [2, rollingUpdateDeploymentSchema],
});
export interface DeploymentStrategy extends Infer<typeof deploymentStrategySchema> {}

export const deploymentSpecSchema = object(`${apps}.DeploymentSpec`, {
  replicas: [1, int32({ default: 1 })],
  selector: [2, required(labelSelectorSchema)],
  template: [3, required({ ...podTemplateSpecSchema, default: {} })],
  strategy: [4, { ...deploymentStrategySchema, 'x-kubernetes-patch-strategy': 'retainKeys', default: {} }],
  minReadySeconds: [5, int32()],
  revisionHistoryLimit: [6, int32({ default: 10 })],
  paused: [7, boolean()],
  progressDeadlineSeconds: [9, int32({ default: 600 })],
});
export interface DeploymentSpec extends Infer<typeof deploymentSpecSchema> {}

export const deploymentConditionSchema = object(`${apps}.DeploymentCondition`, {
  type: [1, required(string())],
  status: [2, required(string())],
  reason: [4, string()],
  message: [5, string()],
  lastUpdateTime: [6, time()],
  lastTransitionTime: [7, time()],
});
export interface DeploymentCondition extends Infer<typeof deploymentConditionSchema> {}

export const deploymentStatusSchema = object(`${apps}.DeploymentStatus`, {
  observedGeneration: [1, int64()],
  replicas: [2, int32()],
  updatedReplicas: [3, int32()],
  availableReplicas: [4, int32()],
  unavailableReplicas: [5, int32()],
  conditions: [6, listMap(deploymentConditionSchema, ['type'])],
  readyReplicas: [7, int32()],
  collisionCount: [8, int32()],
  terminatingReplicas: [9, int32()],
});
export interface DeploymentStatus extends Infer<typeof deploymentStatusSchema> {}

export const deploymentSchema = kindSchema(`${apps}.Deployment`, {
  spec: [2, deploymentSpecSchema],
  status: [3, deploymentStatusSchema],
});
export interface Deployment extends Infer<typeof deploymentSchema> {}

/** What an absent count or percentage of a rolling update is taken for. */
const rollingDefault = '25%';

function setDeploymentDefaults(spec: DeploymentSpec): void {
  setPodSpecDefaults(spec.template.spec);
  const { strategy } = spec;
  if (strategy?.type !== 'RollingUpdate') return;
  strategy.rollingUpdate = {
    ...strategy.rollingUpdate,
    maxUnavailable: strategy.rollingUpdate?.maxUnavailable ?? rollingDefault,
    maxSurge: strategy.rollingUpdate?.maxSurge ?? rollingDefault,
  };
}

function strategyErrors({ strategy, minReadySeconds = 0, progressDeadlineSeconds }: DeploymentSpec): readonly FieldError[] {
  const field = 'spec.strategy.rollingUpdate';
  const errors: FieldError[] = [];
  const rolling = strategy?.rollingUpdate;
  if (strategy?.type === 'Recreate' && rolling !== undefined) {
    errors.push(fieldForbidden(field, "may not be specified when strategy `type` is 'Recreate'"));
  } else if (rolling !== undefined) {
    const { maxUnavailable, maxSurge } = rolling;
    errors.push(...countOrPercent(`${field}.maxUnavailable`, maxUnavailable), ...countOrPercent(`${field}.maxSurge`, maxSurge));
    const isZero = (value: number | string | undefined) => value === 0 || percentOf(value) === 0;
    if (isZero(maxUnavailable) && isZero(maxSurge)) {
      errors.push(fieldInvalid(`${field}.maxUnavailable`, maxUnavailable, 'may not be 0 when `maxSurge` is 0'));
    }
    if ((percentOf(maxUnavailable) ?? 0) > 100) {
      errors.push(fieldInvalid(`${field}.maxUnavailable`, maxUnavailable, 'must not be greater than 100%'));
    }
  }
  if (progressDeadlineSeconds === undefined) return errors;
  errors.push(...nonNegative('spec.progressDeadlineSeconds', progressDeadlineSeconds));
  if (progressDeadlineSeconds <= minReadySeconds) {
    errors.push(fieldInvalid('spec.progressDeadlineSeconds', progressDeadlineSeconds, 'must be greater than minReadySeconds'));
  }
  return errors;
}

export const deploymentDefinition = defineBuiltin<Deployment>({
  group: 'apps',
  kind: 'Deployment',
  plural: 'deployments',
  shortNames: ['deploy'],
  categories: ['all'],
  versions: [
    {
      name: 'v1',
      schema: deploymentSchema,
      served: true,
      columns: [
        column<Deployment>('Ready', ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec.replicas ?? 0}`),
        column<Deployment>('Up-to-date', ({ status }) => status?.updatedReplicas ?? 0),
        column<Deployment>('Available', ({ status }) => status?.availableReplicas ?? 0),
        ageColumn,
        ...workloadColumns<Deployment>(
          ({ spec }) => spec.template,
          ({ spec }) => formatLabelSelector(spec.selector),
        ),
      ],
    },
  ],
  scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas', labelSelectorPath: '.spec.selector' },
  default: ({ spec }) => setDeploymentDefaults(spec),
  validate: ({ spec }, { old }) => [
    ...validateWorkload(spec, 'deployment'),
    ...strategyErrors(spec),
    ...(old === undefined ? [] : immutable('spec.selector', spec.selector, old.spec.selector)),
  ],
});
export const deployments = resourceOf(deploymentDefinition);
