import { parse } from 'yaml';
import { deployments, type Deployment } from '#apis/apps/v1/deployment.ts';
import type { PodAutoscaler } from '#apis/autoscaling-internal/v1alpha1/pod-autoscaler.ts';
import type { CachedImage } from '#apis/caching/v1alpha1/image.ts';
import type { Container, EnvVar } from '#apis/core/v1/pod.ts';
import { apiVersionOf } from '#apis/definition.ts';
import { aggressiveProbeAnnotation, detectHttp2Annotation } from '#apis/dormouse/names.ts';
import { annotations, deploymentName, imageCacheName, labels } from '#apis/serving/names.ts';
import { revisions } from '#apis/serving/v1/kinds.ts';
import type { Revision, RevisionSpec } from '#apis/serving/v1/schemas.ts';
import { autoscalingAnnotation, autoscalingPrefix } from '#apis/serving/validation/annotations.ts';
import type { AutoscalerConfig, DeploymentConfig, FeaturesConfig, ObservabilityConfig } from '#apis/serving/config/tables.ts';
import { controllerReference } from '#controller/owner.ts';
import { goDurationMs } from '#core/duration.ts';
import { pick } from '#controller/children.ts';

const defaultPort = 8080;

export interface RevisionConfig {
  readonly deployment: DeploymentConfig;
  readonly autoscaler: AutoscalerConfig;
  readonly observability: ObservabilityConfig;
  readonly features: FeaturesConfig;
}

/** The container that gets the requests: the one with a port, or the only one. */
function servingContainer(spec: RevisionSpec): Container | undefined {
  const containers = spec.containers ?? [];
  return containers.find(({ ports }) => (ports ?? []).length > 0) ?? containers[0];
}

/** Port and protocol the serving container speaks. */
export function servingPort(spec: RevisionSpec): { containerPort: number; protocol: 'http1' | 'h2c' } {
  const port = servingContainer(spec)?.ports?.[0];
  return {
    containerPort: (port?.containerPort ?? 0) === 0 ? defaultPort : (port?.containerPort ?? defaultPort),
    protocol: port?.name === 'h2c' ? 'h2c' : 'http1',
  };
}

/** Labels of the pods and the Deployment, and how they are found. */
function podLabels(revision: Revision): Record<string, string> {
  const { name = '', uid = '' } = revision.metadata;
  return {
    ...pick(revision.metadata.labels, (key) => key !== labels.routingState),
    [labels.revision]: name,
    [labels.revisionUid]: uid,
    app: name,
  };
}

/** `digests`: container name → image by digest. */
export function makeDeployment(revision: Revision, digests: ReadonlyMap<string, string>, config: RevisionConfig): Deployment {
  const { name = '', namespace = '', uid = '' } = revision.metadata;
  const spec = revision.spec ?? ({} as RevisionSpec);
  const kept = pick(
    revision.metadata.annotations,
    (key) => ![annotations.routingStateModified, annotations.routes, annotations.lastApplied].includes(key as never),
  );
  return {
    metadata: {
      name: deploymentName(name),
      namespace,
      labels: podLabels(revision),
      annotations: kept,
      ownerReferences: [controllerReference(revision, revisions)],
    },
    spec: {
      replicas: initialScale(revision, config.autoscaler),
      selector: { matchLabels: { [labels.revisionUid]: uid } },
      progressDeadlineSeconds: progressDeadlineSeconds(revision, config.deployment),
      revisionHistoryLimit: 0,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0 } },
      template: {
        metadata: { labels: podLabels(revision), annotations: podAnnotations(kept, spec, config.features) },
        spec: makePodSpec(revision, spec, digests, config.deployment),
      },
    },
  };
}

export function makePodAutoscaler(revision: Revision): PodAutoscaler {
  const { name = '', namespace = '' } = revision.metadata;
  const state = revision.metadata.labels?.[labels.routingState];
  const reachability = state === 'active' ? 'Reachable' : state === 'reserve' ? 'Unreachable' : '';
  return {
    metadata: {
      name,
      namespace,
      labels: {
        ...pick(revision.metadata.labels, (key) => key !== labels.routingState),
        [labels.revision]: name,
        [labels.revisionUid]: revision.metadata.uid ?? '',
        app: name,
      },
      annotations: pick(
        revision.metadata.annotations,
        (key) => key.startsWith(autoscalingPrefix) || key.startsWith('autoscaling.dormouse.dev/'),
      ),
      ownerReferences: [controllerReference(revision, revisions)],
    },
    spec: {
      containerConcurrency: revision.spec?.containerConcurrency ?? 0,
      scaleTargetRef: { apiVersion: apiVersionOf(deployments), kind: 'Deployment', name: deploymentName(name) },
      protocolType: servingPort(revision.spec ?? ({} as RevisionSpec)).protocol,
      reachability,
    },
  };
}

export function makeImageCache(revision: Revision, container: string, image: string): CachedImage {
  const { name = '', namespace = '' } = revision.metadata;
  return {
    metadata: {
      name: imageCacheName(name, container),
      namespace,
      labels: podLabels(revision),
      ownerReferences: [controllerReference(revision, revisions)],
    },
    spec: {
      image,
      ...(revision.spec?.serviceAccountName === undefined ? {} : { serviceAccountName: revision.spec.serviceAccountName }),
      ...(revision.spec?.imagePullSecrets === undefined ? {} : { imagePullSecrets: revision.spec.imagePullSecrets }),
    },
  };
}

/** Replicas a revision starts with, before the autoscaler has seen a request. */
function initialScale(revision: Revision, config: AutoscalerConfig): number {
  const own = autoscalingAnnotation(revision.metadata.annotations, 'initial-scale');
  const initial = own === undefined ? config['initial-scale'] : Number(own[1]);
  const min = Number(autoscalingAnnotation(revision.metadata.annotations, 'min-scale')?.[1] ?? config['min-scale']);
  return Math.max(initial, min);
}

function progressDeadlineSeconds(revision: Revision, config: DeploymentConfig): number {
  const own = goDurationMs(revision.metadata.annotations?.[annotations.progressDeadline] ?? '');
  return (own ?? config['progress-deadline']) / 1000;
}

function podAnnotations(kept: Record<string, string>, spec: RevisionSpec, features: FeaturesConfig): Record<string, string> {
  const serving = servingContainer(spec);
  const aggressive = (serving?.readinessProbe?.periodSeconds ?? 0) === 0;
  return {
    ...kept,
    'kubectl.kubernetes.io/default-container': serving?.name ?? '',
    ...(aggressive ? { [aggressiveProbeAnnotation]: 'true' } : {}),
    ...(features['autodetect-http2'] === 'Enabled' ? { [detectHttp2Annotation]: 'true' } : {}),
  };
}

function makePodSpec(revision: Revision, spec: RevisionSpec, digests: ReadonlyMap<string, string>, config: DeploymentConfig): RevisionSpec {
  const { containerConcurrency: _c, timeoutSeconds = 300, responseStartTimeoutSeconds: _r, idleTimeoutSeconds: _i, ...pod } = spec;
  const serving = servingContainer(spec);
  const named = (container: Container): Container => ({ ...container, image: digests.get(container.name) ?? container.image ?? '' });
  return {
    ...pod,
    containers: (spec.containers ?? []).map((container) =>
      container === serving ? makeServingContainer(named(container), revision, spec) : makeSidecar(named(container), revision),
    ),
    ...(spec.initContainers === undefined ? {} : { initContainers: spec.initContainers.map(named) }),
    terminationGracePeriodSeconds: timeoutSeconds,
    ...runtimeClass(revision, spec, config),
    ...(spec.affinity === undefined && config['default-affinity-type'] === 'prefer-spread-revision-over-nodes'
      ? { affinity: spread(revision) }
      : {}),
  } as RevisionSpec;
}

function makeServingContainer(container: Container, revision: Revision, spec: RevisionSpec): Container {
  const { containerPort } = servingPort(spec);
  const { readinessProbe, livenessProbe, startupProbe, ...rest } = container;
  return {
    ...rest,
    ports: [{ name: 'user-port', containerPort, protocol: 'TCP' }],
    env: [...(container.env ?? []), { name: 'PORT', value: String(containerPort) }, ...identity(revision)],
    terminationMessagePolicy: container.terminationMessagePolicy ?? 'FallbackToLogsOnError',
    ...(readinessProbe === undefined ? {} : { readinessProbe: podProbe(readinessProbe, containerPort) }),
    ...(livenessProbe === undefined ? {} : { livenessProbe: podProbe(livenessProbe, containerPort) }),
    ...(startupProbe === undefined ? {} : { startupProbe: podProbe(startupProbe, containerPort) }),
    stdin: false,
    tty: false,
  };
}

function makeSidecar(container: Container, revision: Revision): Container {
  return {
    ...container,
    env: [...(container.env ?? []), ...identity(revision)],
    terminationMessagePolicy: container.terminationMessagePolicy ?? 'FallbackToLogsOnError',
  };
}

/** What a program may know of where it runs (runtime contract, SHOULD). */
function identity(revision: Revision): EnvVar[] {
  return [
    { name: 'K_REVISION', value: revision.metadata.name ?? '' },
    { name: 'K_CONFIGURATION', value: revision.metadata.labels?.[labels.configuration] ?? '' },
    { name: 'K_SERVICE', value: revision.metadata.labels?.[labels.service] ?? '' },
  ];
}

type Probe = NonNullable<Container['readinessProbe']>;

/** A probe of a template in the terms of a Pod: the port filled in, a period and a scheme a Pod accepts. */
function podProbe(probe: Probe, port: number): Probe {
  const result: Probe = { ...probe };
  if (probe.httpGet) result.httpGet = { ...probe.httpGet, ...podScheme(probe.httpGet), port: portOf(probe.httpGet.port, port) };
  if (probe.tcpSocket) result.tcpSocket = { ...probe.tcpSocket, port: portOf(probe.tcpSocket.port, port) };
  if (probe.grpc) result.grpc = { ...probe.grpc, port: (probe.grpc.port ?? 0) === 0 ? port : probe.grpc.port };
  if ((probe.periodSeconds ?? 0) === 0) delete result.periodSeconds;
  return result;
}

/** Knative takes `http` as well as `HTTP`. */
function podScheme({ scheme }: NonNullable<Probe['httpGet']>): { scheme?: NonNullable<typeof scheme> } {
  return scheme === undefined ? {} : { scheme: scheme.toUpperCase() as typeof scheme };
}

function portOf(port: string | number | undefined, serving: number): string | number {
  return typeof port === 'string' || port === undefined || port === 0 ? serving : port;
}

/** The class whose selector matches the revision and says most (config-deployment), where the revision itself names none. */
function runtimeClass(revision: Revision, spec: RevisionSpec, config: DeploymentConfig): { runtimeClassName?: string } {
  if (spec.runtimeClassName !== undefined || config['runtime-class-name'].trim() === '') return {};
  const classes = (parse(config['runtime-class-name']) ?? {}) as Record<string, { selector?: Record<string, string> } | null>;
  const [best] = Object.entries(classes)
    .map(([name, value]) => ({ name, selector: Object.entries(value?.selector ?? {}) }))
    .filter(({ selector }) => selector.every(([key, value]) => revision.metadata.labels?.[key] === value))
    .toSorted((a, b) => b.selector.length - a.selector.length || (a.name < b.name ? -1 : 1));
  return best === undefined ? {} : { runtimeClassName: best.name };
}

/** Pods of one revision on different nodes, where there are several. */
function spread(revision: Revision): NonNullable<RevisionSpec['affinity']> {
  const matchExpressions = [{ key: labels.revisionUid, operator: 'In', values: [revision.metadata.uid ?? ''] }];
  return {
    podAntiAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: [
        { weight: 100, podAffinityTerm: { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchExpressions } } },
      ],
    },
  } as NonNullable<RevisionSpec['affinity']>;
}
