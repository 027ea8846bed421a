import { isReady, isTerminating } from '#apis/core/v1/pod-state.ts';
import { parseDial } from '#apis/dormouse/dial.ts';
import { dialAnnotation, freezeAnnotation } from '#apis/dormouse/names.ts';
import {
  configurationLabel,
  revisionLabel,
  serviceLabel,
  type EndpointSlice,
  type Pod,
  type Revision,
  type Service,
} from '#gateway/controller/kinds.ts';
import type { ServiceRef } from '#gateway/controller/ingress-rules.ts';
import type { BackendConfig, PodConfig } from '#gateway/routes/route-config.ts';

type ServicePort = NonNullable<NonNullable<Service['spec']>['ports']>[number];

/** What a backend is made of, as found in the caches. */
export interface BackendSources {
  readonly service: Service;
  readonly port: string;
  readonly slices: readonly EndpointSlice[];
  /** Pods of the revision, where it is one. */
  readonly pods: readonly Pod[];
  readonly revision: Revision | undefined;
  pod(namespace: string, name: string): Pod | undefined;
}

/** Services of one revision share a backend, because the slots belong to its containers. */
export function backendKey(service: Service | undefined, ref: ServiceRef): string {
  const revision = service?.metadata.labels?.[revisionLabel];
  return revision === undefined ? `service/${ref.namespace}/${ref.name}:${ref.port}` : `revision/${ref.namespace}/${revision}`;
}

export function isRevisionKey(key: string): boolean {
  return key.startsWith('revision/');
}

export function backendConfig(key: string, sources: BackendSources): BackendConfig {
  const { service, revision } = sources;
  const name = service.metadata.labels?.[revisionLabel];
  const seconds = (value: number | undefined) => (value ?? 0) * 1000;
  return {
    key,
    namespace: service.metadata.namespace ?? '',
    name: name ?? service.metadata.name ?? '',
    ...owners(revision),
    isRevision: name !== undefined,
    ...(speaksHttp2(findPort(service, sources.port)) ? { protocol: 'h2c' as const } : {}),
    containerConcurrency: revision?.spec?.containerConcurrency ?? 0,
    timeoutMs: name === undefined ? 0 : seconds(revision?.spec?.timeoutSeconds ?? 300),
    responseStartTimeoutMs: seconds(revision?.spec?.responseStartTimeoutSeconds),
    idleTimeoutMs: seconds(revision?.spec?.idleTimeoutSeconds),
    pods: podsOf(sources),
  };
}

/**
 * The pods that may get requests: of a revision all that are ready, of another Service those of its EndpointSlices. Where the pod itself
 * is known, its condition decides: it is the source the slices are made from.
 */
function podsOf(sources: BackendSources): PodConfig[] {
  const port = findPort(sources.service, sources.port);
  if (port === undefined) return [];
  const result = new Map<string, PodConfig>();
  for (const slice of sources.slices) {
    const number = slice.ports?.find(({ name = '' }) => name === (port.name ?? ''))?.port;
    if (number === undefined) continue;
    for (const endpoint of slice.endpoints ?? []) {
      const { namespace = slice.metadata.namespace ?? '', name } = endpoint.targetRef ?? {};
      const pod = name === undefined ? undefined : sources.pod(namespace, name);
      const { ready = true, terminating = false } = endpoint.conditions ?? {};
      // All pods are known, so one that is not has gone already (or is about to appear), whatever its slice still says.
      const serving = pod === undefined ? endpoint.targetRef?.kind !== 'Pod' && ready && !terminating : isServing(pod);
      if (!serving) continue;
      const address = endpoint.addresses[0];
      if (address === undefined) continue;
      const config = podConfig(pod, name === undefined ? `${address}:${number}` : `${namespace}/${name}`, address, number);
      result.set(config.key, config);
    }
  }
  for (const pod of sources.pods) {
    const key = `${pod.metadata.namespace ?? ''}/${pod.metadata.name ?? ''}`;
    const number = targetPort(pod, port);
    const address = pod.status?.podIP;
    if (result.has(key) || number === undefined || address === undefined || !isServing(pod)) continue;
    result.set(key, podConfig(pod, key, address, number));
  }
  return [...result.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
}

function podConfig(pod: Pod | undefined, key: string, address: string, port: number): PodConfig {
  const { annotations } = pod?.metadata ?? {};
  const dial = parseDial(annotations?.[dialAnnotation], port) ?? { host: address, port };
  return { key, dial, ...(annotations?.[freezeAnnotation] === 'true' ? { frozen: true } : {}) };
}

/** Ready, and not asked to stop. */
function isServing(pod: Pod): boolean {
  return isReady(pod) && !isTerminating(pod);
}

function owners(revision: Revision | undefined): Pick<BackendConfig, 'service' | 'configuration'> {
  const { [serviceLabel]: service, [configurationLabel]: configuration } = revision?.metadata.labels ?? {};
  return { ...(service === undefined ? {} : { service }), ...(configuration === undefined ? {} : { configuration }) };
}

/** Knative names the port of such a revision `http2`; elsewhere `h2c` or the protocol itself says it (KEP-3726). */
function speaksHttp2(port: ServicePort | undefined): boolean {
  return port?.name === 'http2' || port?.name === 'h2c' || port?.appProtocol === 'kubernetes.io/h2c';
}

function findPort(service: Service, port: string): ServicePort | undefined {
  const ports = service.spec?.ports ?? [];
  return ports.find((one) => String(one.port) === port || (one.name !== undefined && one.name === port));
}

/** The number behind a targetPort, which may be the name of a container's port. */
function targetPort(pod: Pod, port: ServicePort): number | undefined {
  const target = port.targetPort ?? port.port;
  if (typeof target === 'number' && target !== 0) return target;
  if (typeof target === 'string' && /^\d+$/.test(target)) return Number(target);
  const containerPorts = (pod.spec?.containers ?? []).flatMap((container) => container.ports ?? []);
  return containerPorts.find(({ name }) => name === target)?.containerPort;
}
