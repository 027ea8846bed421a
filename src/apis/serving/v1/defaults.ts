import type { AdmissionContext } from '#apis/definition.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import type { Container } from '#apis/core/v1/container.ts';
import { readConfig } from '#apis/serving/config/config-map.ts';
import { defaultsTable, featuresTable, type DefaultsConfig, type FeaturesConfig } from '#apis/serving/config/tables.ts';
import { containerName } from '#apis/serving/config/templates.ts';
import { annotations, childName } from '#apis/serving/names.ts';
import type { RevisionSpec, RevisionTemplate, TrafficTarget } from '#apis/serving/v1/schemas.ts';

const systemNamespace = 'knative-serving';

export interface DefaultsContext {
  readonly defaults: DefaultsConfig;
  readonly features: FeaturesConfig;
  readonly creating: boolean;
  /** What names of containers may be made of. */
  readonly parent: Pick<KubeObject, 'metadata'>;
}

export function defaultsContext(context: AdmissionContext, parent: Pick<KubeObject, 'metadata'> = { metadata: {} }): DefaultsContext {
  return {
    defaults: readConfig(defaultsTable, context.config(systemNamespace, 'config-defaults')),
    features: readConfig(featuresTable, context.config(systemNamespace, 'config-features')),
    creating: context.operation === 'create',
    parent,
  };
}

/** A template keeps its name on update? Then it is left alone, so that no change is suggested that its name forbids. */
export function defaultTemplate(template: RevisionTemplate, old: RevisionTemplate | undefined, context: DefaultsContext): void {
  const name = template.metadata?.name ?? '';
  if (name !== '' && old?.metadata?.name === name) return;
  template.spec ??= {} as RevisionSpec;
  defaultRevisionSpec(template.spec, context);
}

/** Fills what Knative's mutating webhook fills (serving.md §1.5). */
export function defaultRevisionSpec(spec: RevisionSpec, context: DefaultsContext): void {
  const { defaults } = context;
  if ((spec.timeoutSeconds ?? 0) === 0) spec.timeoutSeconds = defaults['revision-timeout-seconds'];
  const timeout = spec.timeoutSeconds ?? 0;
  const idle = defaults['revision-idle-timeout-seconds'];
  if (spec.idleTimeoutSeconds === undefined && idle !== 0 && idle < timeout) spec.idleTimeoutSeconds = idle;
  const configured = defaults['revision-response-start-timeout-seconds'];
  const responseStart = configured === -1 ? defaults['revision-timeout-seconds'] : configured;
  if (spec.responseStartTimeoutSeconds === undefined && responseStart !== 0 && responseStart < timeout) {
    spec.responseStartTimeoutSeconds = responseStart;
  }
  spec.containerConcurrency ??= defaults['container-concurrency'];
  const links = defaults['enable-service-links'];
  if (spec.enableServiceLinks === undefined && context.creating && links !== 'default') spec.enableServiceLinks = links === 'true';
  nameContainers(spec, context);
  for (const container of spec.containers ?? []) {
    defaultContainer(container, spec, defaults);
    defaultSecurity(container, spec, context.features);
  }
  for (const container of spec.initContainers ?? []) defaultSecurity(container, spec, context.features);
}

/** `latestRevision` follows from the revision's name, a missing percent is 0. */
export function defaultTraffic(traffic: readonly TrafficTarget[]): void {
  for (const target of traffic) {
    target.latestRevision ??= (target.revisionName ?? '') === '';
    target.percent ??= 0;
  }
}

/** Notes who made the object and who last changed its spec. */
export function setUserInfo(object: KubeObject & { spec?: unknown }, context: AdmissionContext, sameSpec: boolean): void {
  const notes = (object.metadata.annotations ??= {});
  if (context.operation === 'create') {
    notes[annotations.creator] = context.user.username;
    notes[annotations.lastModifier] = context.user.username;
  } else if (!sameSpec) notes[annotations.lastModifier] = context.user.username;
}

function nameContainers(spec: RevisionSpec, { defaults, parent }: DefaultsContext): void {
  const taken = new Set([...(spec.containers ?? []), ...(spec.initContainers ?? [])].map(({ name }) => name));
  nameList(spec.containers ?? [], taken, containerName(defaults['container-name-template'], parent));
  nameList(spec.initContainers ?? [], taken, containerName(defaults['init-container-name-template'], parent));
}

function nameList(containers: readonly Container[], taken: ReadonlySet<string>, base: string): void {
  let suffix = 0;
  for (const container of containers) {
    if ((container.name ?? '') !== '') continue;
    let name = base;
    if (containers.length > 1 || taken.has(base)) {
      do name = childName(base, `-${suffix++}`);
      while (taken.has(name));
    }
    container.name = name;
  }
}

/** Port 0 (the container's own port) is written out: Go clients send it back with every update, which must not look like a change. */
function defaultProbe({ tcpSocket, httpGet, grpc }: NonNullable<Container['readinessProbe']>): void {
  for (const handler of [tcpSocket, httpGet, grpc] as { port?: number | string }[]) if (handler) handler.port ??= 0;
  if (grpc) grpc.service ??= '';
}

function defaultContainer(container: Container, spec: RevisionSpec, defaults: DefaultsConfig): void {
  defaultResources(container, defaults);
  if ((spec.containers ?? []).length === 1 || (container.ports ?? []).length > 0) {
    const probe = (container.readinessProbe ??= {});
    if (!probe.tcpSocket && !probe.httpGet && !probe.exec && !probe.grpc) probe.tcpSocket = { port: 0 };
  }
  const { readinessProbe: readiness } = container;
  if (readiness) {
    if ((readiness.successThreshold ?? 0) === 0) readiness.successThreshold = 1;
    if ((readiness.periodSeconds ?? 0) !== 0) {
      if ((readiness.failureThreshold ?? 0) === 0) readiness.failureThreshold = 3;
      if ((readiness.timeoutSeconds ?? 0) === 0) readiness.timeoutSeconds = 1;
    }
  }
  for (const probe of [readiness, container.livenessProbe, container.startupProbe]) if (probe) defaultProbe(probe);
  const writable = new Set(
    (spec.volumes ?? []).filter((v) => v.emptyDir ?? v.persistentVolumeClaim ?? v.ephemeral).map(({ name }) => name),
  );
  for (const mount of container.volumeMounts ?? []) if (!writable.has(mount.name)) mount.readOnly = true;
}

function defaultResources(container: Container, defaults: DefaultsConfig): void {
  const resources = (container.resources ??= {});
  for (const [field, end] of [
    ['requests', 'request'],
    ['limits', 'limit'],
  ] as const) {
    for (const resource of ['cpu', 'memory', 'ephemeral-storage'] as const) {
      const value = defaults[`revision-${resource}-${end}`];
      if (value === '') continue;
      const amounts = (resources[field] ??= {});
      amounts[resource] ??= value;
    }
  }
}

function defaultSecurity(container: Container, spec: RevisionSpec, features: FeaturesConfig): void {
  const mode = features['secure-pod-defaults'];
  if (mode === 'Disabled') return;
  const context = (container.securityContext ??= {});
  context.allowPrivilegeEscalation ??= false;
  if ((spec.securityContext?.seccompProfile?.type ?? '') === '') context.seccompProfile ??= { type: 'RuntimeDefault' };
  if (context.capabilities === undefined) {
    const lowPort = (container.ports ?? []).some((port) => (port.containerPort ?? 0) < 1024);
    context.capabilities = { drop: ['ALL'], ...(lowPort ? { add: ['NET_BIND_SERVICE'] } : {}) };
  }
  if (mode === 'Enabled' && spec.securityContext?.runAsNonRoot === undefined) context.runAsNonRoot ??= true;
}
