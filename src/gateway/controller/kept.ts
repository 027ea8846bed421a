import type { Resource } from '#apis/definition.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import {
  configurationLabel,
  revisionLabel,
  serviceLabel,
  serviceNameLabel,
  type EndpointSlice,
  type Revision,
  type Service,
} from '#gateway/controller/kinds.ts';

type Metadata = KubeObject['metadata'];

/**
 * What the gateway's caches keep of an object: of thousands of sleeping services only what routes are made of. Objects whose status or
 * annotations it writes (Ingresses, Pods) stay whole.
 */
export function keptByGateway<T extends KubeObject>(object: T, { kind }: Resource<T>): T {
  const slim = slimmers[kind];
  return slim === undefined ? object : (slim(object) as T);
}

const slimmers: Readonly<Record<string, (object: KubeObject) => KubeObject>> = {
  Service: (object) => slimService(object as Service),
  EndpointSlice: (object) => slimSlice(object as EndpointSlice),
  Revision: (object) => slimRevision(object as Revision),
};

function slimService({ metadata, spec }: Service): KubeObject {
  const ports = (spec?.ports ?? []).map(({ name, port, targetPort, appProtocol }) =>
    withoutUndefined({ name, port, targetPort, appProtocol }),
  );
  return { metadata: slimMetadata(metadata, revisionLabel), spec: { ports } } as KubeObject;
}

function slimSlice({ metadata, ports, endpoints }: EndpointSlice): KubeObject {
  const slim = (endpoints ?? []).map(({ addresses, conditions, targetRef }) => withoutUndefined({ addresses, conditions, targetRef }));
  return { metadata: slimMetadata(metadata, serviceNameLabel), ports, endpoints: slim } as KubeObject;
}

function slimRevision({ metadata, spec }: Revision): KubeObject {
  const { containerConcurrency, timeoutSeconds, responseStartTimeoutSeconds, idleTimeoutSeconds } = spec ?? {};
  const limits = withoutUndefined({ containerConcurrency, timeoutSeconds, responseStartTimeoutSeconds, idleTimeoutSeconds });
  return { metadata: slimMetadata(metadata, serviceLabel, configurationLabel), spec: limits } as KubeObject;
}

function slimMetadata({ name, namespace, uid, resourceVersion, labels }: Metadata, ...wanted: readonly string[]): Metadata {
  const kept = withoutUndefined(Object.fromEntries(wanted.map((label) => [label, labels?.[label]])));
  const some = Object.keys(kept).length === 0 ? undefined : kept;
  return withoutUndefined({ name, namespace, uid, resourceVersion, labels: some }) as Metadata;
}

function withoutUndefined(object: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}
