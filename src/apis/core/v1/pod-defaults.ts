import type { Container, ResourceRequirements } from '#apis/core/v1/container.ts';
import type { PodSpec } from '#apis/core/v1/pod-spec.ts';
import type { LifecycleHandler, Probe } from '#apis/core/v1/probe.ts';

/** Always for images without tag or with `:latest`, whose content may change; IfNotPresent for the rest, digests included. */
export function defaultPullPolicy(image: string): 'Always' | 'IfNotPresent' {
  const [name = '', digest] = image.split('@');
  const tag = /:([^/:]+)$/.exec(name)?.[1];
  if (digest !== undefined && tag === undefined) return 'IfNotPresent';
  return tag === undefined || tag === 'latest' ? 'Always' : 'IfNotPresent';
}

/** Defaults of a pod spec, in a template or a pod, that the schema cannot express (k8s.io/kubernetes SetDefaults_PodSpec). */
export function setPodSpecDefaults(spec: PodSpec): void {
  for (const container of allContainers(spec)) setContainerDefaults(container);
  for (const volume of spec.volumes ?? []) {
    if (Object.keys(volume).length === 1) volume.emptyDir = {};
    const claim = volume.ephemeral?.volumeClaimTemplate?.spec;
    if (claim !== undefined) claim.volumeMode ??= 'Filesystem';
  }
  if (spec.hostNetwork === true) {
    for (const container of [...spec.containers, ...(spec.initContainers ?? [])]) {
      for (const port of container.ports ?? []) if (isZero(port.hostPort)) port.hostPort = port.containerPort;
    }
  }
  if (isGiven(spec.serviceAccount) && !isGiven(spec.serviceAccountName)) spec.serviceAccountName = spec.serviceAccount ?? '';
  if (isGiven(spec.serviceAccountName)) spec.serviceAccount = spec.serviceAccountName ?? '';
  spec.terminationGracePeriodSeconds ??= 30;
  spec.securityContext ??= {};
}

/** Defaults that a pod has over a template: requests follow limits, service links are on. */
export function setPodDefaults(spec: PodSpec): void {
  spec.enableServiceLinks ??= true;
  for (const container of allContainers(spec)) if (container.resources !== undefined) requestsFromLimits(container.resources);
}

type AnyContainer = Omit<Container, 'name'>;

function allContainers(spec: PodSpec): readonly AnyContainer[] {
  return [...spec.containers, ...(spec.initContainers ?? []), ...(spec.ephemeralContainers ?? [])];
}

function setContainerDefaults(container: AnyContainer): void {
  container.imagePullPolicy ??= defaultPullPolicy(container.image ?? '');
  for (const probe of [container.livenessProbe, container.readinessProbe, container.startupProbe]) {
    if (probe !== undefined) setProbeDefaults(probe);
  }
  for (const handler of [container.lifecycle?.postStart, container.lifecycle?.preStop]) {
    if (handler !== undefined) setHandlerDefaults(handler);
  }
  for (const { valueFrom } of container.env ?? []) {
    if (valueFrom?.fieldRef !== undefined) valueFrom.fieldRef.apiVersion ??= 'v1';
  }
}

/** Zero means "not given" for the numbers of a probe. */
function setProbeDefaults(probe: Probe): void {
  if (isZero(probe.timeoutSeconds)) probe.timeoutSeconds = 1;
  if (isZero(probe.periodSeconds)) probe.periodSeconds = 10;
  if (isZero(probe.successThreshold)) probe.successThreshold = 1;
  if (isZero(probe.failureThreshold)) probe.failureThreshold = 3;
  setHandlerDefaults(probe);
}

function setHandlerDefaults({ httpGet }: Pick<LifecycleHandler, 'httpGet'>): void {
  if (httpGet === undefined) return;
  httpGet.path ??= '/';
  httpGet.scheme ??= 'HTTP';
}

function requestsFromLimits(resources: ResourceRequirements): void {
  for (const [name, limit] of Object.entries(resources.limits ?? {})) {
    resources.requests ??= {};
    resources.requests[name] ??= limit;
  }
}

const isZero = (value: number | undefined): boolean => value === undefined || value === 0;
const isGiven = (value: string | undefined): boolean => value !== undefined && value !== '';
