import {
  amount,
  duration,
  flag,
  float,
  int32,
  integer,
  oneOf,
  percentage,
  text,
  type ConfigKey,
  type ConfigOf,
} from '#apis/serving/config/config-map.ts';

/** config-autoscaler; durations in milliseconds. */
export const autoscalerTable = {
  'container-concurrency-target-percentage': percentage(70),
  'container-concurrency-target-default': float(100),
  'requests-per-second-target-default': float(200),
  'target-burst-capacity': float(211),
  'stable-window': duration('60s'),
  'panic-window-percentage': float(10),
  'panic-threshold-percentage': float(200),
  'max-scale-up-rate': float(1000),
  'max-scale-down-rate': float(2),
  'enable-scale-to-zero': flag(true),
  'scale-to-zero-grace-period': duration('30s'),
  'scale-to-zero-pod-retention-period': duration('0s'),
  'pod-autoscaler-class': text('kpa.autoscaling.knative.dev'),
  'activator-capacity': float(100),
  'initial-scale': int32(1),
  'allow-zero-initial-scale': flag(false),
  'min-scale': int32(0),
  'max-scale': int32(0),
  'max-scale-limit': int32(0),
  'scale-down-delay': duration('0s'),
} as const;
export type AutoscalerConfig = ConfigOf<typeof autoscalerTable>;

/** config-defaults; `-1` marks keys whose default is another key's value. */
export const defaultsTable = {
  'revision-timeout-seconds': integer(300),
  'max-revision-timeout-seconds': integer(600),
  'revision-response-start-timeout-seconds': integer(-1),
  'revision-idle-timeout-seconds': integer(0),
  'revision-cpu-request': amount(),
  'revision-cpu-limit': amount(),
  'revision-memory-request': amount(),
  'revision-memory-limit': amount(),
  'revision-ephemeral-storage-request': amount(),
  'revision-ephemeral-storage-limit': amount(),
  'container-name-template': text('user-container'),
  'init-container-name-template': text('init-container'),
  'container-concurrency': integer(0),
  'container-concurrency-max-limit': integer(1000),
  'allow-container-concurrency-zero': flag(true),
  'enable-service-links': oneOf(['true', 'false', 'default'], 'false'),
} as const;
export type DefaultsConfig = ConfigOf<typeof defaultsTable>;

/** config-deployment. */
export const deploymentTable = {
  'queue-sidecar-image': text('', ['queueSidecarImage']),
  'queue-sidecar-cpu-request': amount('25m', ['queueSidecarCPURequest']),
  'queue-sidecar-cpu-limit': amount('', ['queueSidecarCPULimit']),
  'queue-sidecar-memory-request': amount('', ['queueSidecarMemoryRequest']),
  'queue-sidecar-memory-limit': amount('', ['queueSidecarMemoryLimit']),
  'queue-sidecar-ephemeral-storage-request': amount('', ['queueSidecarEphemeralStorageRequest']),
  'queue-sidecar-ephemeral-storage-limit': amount('', ['queueSidecarEphemeralStorageLimit']),
  'registries-skipping-tag-resolving': text('kind.local,ko.local,dev.local', ['registriesSkippingTagResolving']),
  'digest-resolution-timeout': duration('10s', ['digestResolutionTimeout']),
  'progress-deadline': duration('600s', ['progressDeadline']),
  'default-affinity-type': oneOf(
    ['prefer-spread-revision-over-nodes', 'none'],
    'prefer-spread-revision-over-nodes',
    [],
    (key, value) => `unsupported ${key} value: ${JSON.stringify(value)}`,
  ),
  'pod-is-always-schedulable': flag(false),
  'runtime-class-name': text(''),
} as const;
export type DeploymentConfig = ConfigOf<typeof deploymentTable>;

/** config-gc; `disabled` reads as Infinity. */
const orDisabled = (key: ConfigKey<number>): ConfigKey<number> => ({
  default: key.default,
  read: (value, name) => (value.toLowerCase() === 'disabled' ? Infinity : key.read(value, name)),
});
export const gcTable = {
  'retain-since-create-time': orDisabled(duration('48h')),
  'retain-since-last-active-time': orDisabled(duration('15h')),
  'min-non-active-revisions': integer(20),
  'max-non-active-revisions': orDisabled(integer(1000)),
} as const;
export type GcConfig = ConfigOf<typeof gcTable>;

/** The certificates the platform issues itself, under the name Knative's default has. */
export const platformCertificateClass = 'cert-manager.certificate.networking.knative.dev';
const unsupported = (key: string, value: string) =>
  `${key} with value: ${JSON.stringify(value)} in config-network ConfigMap is not supported`;
/** config-network. */
export const networkTable = {
  'ingress-class': text('dormouse.ingress.networking.knative.dev', ['ingress.class']),
  'certificate-class': text(platformCertificateClass, ['certificate.class']),
  'namespace-wildcard-cert-selector': text(''),
  'domain-template': text('{{.Name}}.{{.Namespace}}.{{.Domain}}', ['domainTemplate']),
  'tag-template': text('{{.Tag}}-{{.Name}}', ['tagTemplate']),
  'external-domain-tls': oneOf(['Enabled', 'Disabled'], 'Disabled', ['auto-tls', 'autoTLS']),
  'cluster-local-domain-tls': oneOf(['Enabled', 'Disabled'], 'Disabled', [], unsupported),
  'system-internal-tls': oneOf(['Enabled', 'Disabled'], 'Disabled', [], unsupported),
  'http-protocol': oneOf(
    ['Enabled', 'Redirected', 'Disabled'],
    'Enabled',
    ['httpProtocol'],
    (_, value) => `httpProtocol ${value} in config-network ConfigMap is not supported`,
  ),
  'rollout-duration': integer(0, ['rolloutDuration']),
  'autocreate-cluster-domain-claims': flag(false, ['autocreateClusterDomainClaims']),
  'default-external-scheme': oneOf(['http', 'https'], 'http', ['defaultExternalScheme']),
} as const;
export type NetworkConfig = ConfigOf<typeof networkTable>;

/** config-observability: what the platform reads; the rest of its keys is kept and ignored. */
export const observabilityTable = {
  'logging.enable-var-log-collection': flag(false),
  'logging.revision-url-template': text('http://logging.example.com/?revisionUID=${REVISION_UID}'),
  'logging.request-log-template': text(''),
  'logging.enable-request-log': flag(false),
  'logging.enable-probe-request-log': flag(false),
} as const;
export type ObservabilityConfig = ConfigOf<typeof observabilityTable>;

type FlagState = 'Enabled' | 'Disabled' | 'Allowed';
const off = oneOf<FlagState>(['Enabled', 'Disabled', 'Allowed'], 'Disabled');
const on = oneOf<FlagState>(['Enabled', 'Disabled', 'Allowed'], 'Enabled');
/** config-features. */
export const featuresTable = {
  'multi-container': on,
  'multi-container-probing': off,
  'kubernetes.podspec-volumes-emptydir': on,
  'kubernetes.podspec-affinity': off,
  'kubernetes.podspec-topologyspreadconstraints': off,
  'kubernetes.podspec-hostaliases': off,
  'kubernetes.podspec-nodeselector': off,
  'kubernetes.podspec-tolerations': off,
  'kubernetes.podspec-fieldref': off,
  'kubernetes.podspec-runtimeclassname': off,
  'kubernetes.podspec-dnspolicy': off,
  'kubernetes.podspec-dnsconfig': off,
  'kubernetes.podspec-securitycontext': off,
  'kubernetes.podspec-shareprocessnamespace': off,
  'kubernetes.podspec-hostipc': off,
  'kubernetes.podspec-hostpid': off,
  'kubernetes.podspec-hostnetwork': off,
  'kubernetes.podspec-priorityclassname': off,
  'kubernetes.podspec-schedulername': off,
  'kubernetes.podspec-init-containers': off,
  'kubernetes.podspec-persistent-volume-claim': off,
  'kubernetes.podspec-persistent-volume-write': off,
  'kubernetes.podspec-volumes-image': off,
  'kubernetes.podspec-volumes-hostpath': off,
  'kubernetes.podspec-volumes-ephemeral': off,
  'kubernetes.podspec-volumes-csi': off,
  'kubernetes.podspec-volumes-mount-propagation': off,
  'kubernetes.containerspec-addcapabilities': off,
  'tag-header-based-routing': off,
  'autodetect-http2': off,
  'queueproxy.mount-podinfo': off,
  'queueproxy.resource-defaults': off,
  'secure-pod-defaults': oneOf(['Disabled', 'AllowRootBounded', 'Enabled'], 'Disabled'),
} as const;
export type FeaturesConfig = ConfigOf<typeof featuresTable>;

/** Every ConfigMap with a table, by name. */
export const configTables = {
  'config-autoscaler': autoscalerTable,
  'config-defaults': defaultsTable,
  'config-deployment': deploymentTable,
  'config-gc': gcTable,
  'config-network': networkTable,
  'config-observability': observabilityTable,
  'config-features': featuresTable,
} as const;
