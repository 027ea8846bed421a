import { disallowedFields, type Finding } from '#apis/knative/field-error.ts';
import type { FeaturesConfig } from '#apis/serving/config/tables.ts';

/**
 * Which fields of Kubernetes' pod types a revision may set: `true`, or the feature flag that must not be Disabled.
 * Everything else is refused with `must not set the field(s)`.
 */
export type AllowedFields = Readonly<Record<string, true | keyof FeaturesConfig | readonly (keyof FeaturesConfig)[]>>;

export const podSpecFields: AllowedFields = {
  serviceAccountName: true,
  containers: true,
  volumes: true,
  imagePullSecrets: true,
  enableServiceLinks: true,
  affinity: 'kubernetes.podspec-affinity',
  topologySpreadConstraints: 'kubernetes.podspec-topologyspreadconstraints',
  hostAliases: 'kubernetes.podspec-hostaliases',
  nodeSelector: 'kubernetes.podspec-nodeselector',
  runtimeClassName: 'kubernetes.podspec-runtimeclassname',
  tolerations: 'kubernetes.podspec-tolerations',
  securityContext: ['kubernetes.podspec-securitycontext', 'secure-pod-defaults'],
  shareProcessNamespace: 'kubernetes.podspec-shareprocessnamespace',
  priorityClassName: 'kubernetes.podspec-priorityclassname',
  schedulerName: 'kubernetes.podspec-schedulername',
  initContainers: 'kubernetes.podspec-init-containers',
  dnsPolicy: 'kubernetes.podspec-dnspolicy',
  dnsConfig: 'kubernetes.podspec-dnsconfig',
  hostIPC: 'kubernetes.podspec-hostipc',
  hostPID: 'kubernetes.podspec-hostpid',
  hostNetwork: 'kubernetes.podspec-hostnetwork',
};

export const containerFields: AllowedFields = allowed(
  'name',
  'args',
  'command',
  'env',
  'workingDir',
  'envFrom',
  'image',
  'imagePullPolicy',
  'livenessProbe',
  'ports',
  'readinessProbe',
  'resources',
  'securityContext',
  'startupProbe',
  'terminationMessagePath',
  'terminationMessagePolicy',
  'volumeMounts',
);
export const volumeFields: AllowedFields = {
  name: true,
  secret: true,
  configMap: true,
  projected: true,
  emptyDir: 'kubernetes.podspec-volumes-emptydir',
  persistentVolumeClaim: 'kubernetes.podspec-persistent-volume-claim',
  hostPath: 'kubernetes.podspec-volumes-hostpath',
  csi: 'kubernetes.podspec-volumes-csi',
  ephemeral: 'kubernetes.podspec-volumes-ephemeral',
  image: 'kubernetes.podspec-volumes-image',
};
export const projectionFields = allowed('secret', 'configMap', 'serviceAccountToken', 'downwardAPI');
export const volumeMountFields: AllowedFields = {
  ...allowed('name', 'readOnly', 'mountPath', 'subPath'),
  mountPropagation: 'kubernetes.podspec-volumes-mount-propagation',
};
export const portFields = allowed('containerPort', 'name', 'protocol');
export const envFields = allowed('name', 'value', 'valueFrom');
export const envSourceFields: AllowedFields = {
  configMapKeyRef: true,
  secretKeyRef: true,
  fieldRef: 'kubernetes.podspec-fieldref',
  resourceFieldRef: 'kubernetes.podspec-fieldref',
};
export const resourceFields = allowed('limits', 'requests');
export const securityContextFields: AllowedFields = allowed(
  'runAsUser',
  'readOnlyRootFilesystem',
  'capabilities',
  'runAsGroup',
  'runAsNonRoot',
  'allowPrivilegeEscalation',
  'seccompProfile',
);
export const podSecurityContextFields: AllowedFields = allowed(
  'runAsUser',
  'runAsGroup',
  'runAsNonRoot',
  'fsGroup',
  'supplementalGroups',
  'seccompProfile',
);

/** The finding for every field of `value` that is set although `fields` does not allow it. */
export function disallowed(value: object, fields: AllowedFields, features: FeaturesConfig): Finding[] {
  const refused = Object.entries(value)
    .filter(([key, content]) => isSet(key, content) && !isAllowed(Object.hasOwn(fields, key) ? fields[key] : undefined, features))
    .map(([key]) => key);
  return refused.length === 0 ? [] : [disallowedFields(...refused.toSorted())];
}

function allowed(...names: string[]): AllowedFields {
  return Object.fromEntries(names.map((name) => [name, true]));
}

function isAllowed(rule: AllowedFields[string] | undefined, features: FeaturesConfig): boolean {
  if (rule === undefined || rule === true) return rule === true;
  const flags = typeof rule === 'string' ? [rule] : rule;
  return flags.some((flag) => features[flag] !== 'Disabled');
}

/** Fields that are maps, not structures. */
const maps = new Set(['nodeSelector', 'overhead']);

/** Go's zero values do not count as set: false, 0, '' and empty lists and maps (gcloud sends `nodeSelector: {}`). */
function isSet(key: string, value: unknown): boolean {
  if (maps.has(key) && typeof value === 'object' && value !== null && Object.keys(value).length === 0) return false;
  if (value === undefined || value === null || value === false || value === 0 || value === '') return false;
  return !Array.isArray(value) || value.length > 0;
}
