import { podSpecSchema, type PodSpec } from '#apis/core/v1/pod-spec.ts';
import { addressSchema, statusProperties, type KnativeStatus } from '#apis/knative/status.ts';
import { objectMetaSchema, type KubeObject, type ObjectMeta } from '#apis/meta/object.ts';
import { anything, boolean, int32, int64, list, listMap, object, required, string, type Schema, type Typed } from '#apis/schema.ts';

/** One share of a Route's traffic; `percent` counts of 100. */
export interface TrafficTarget {
  tag?: string;
  revisionName?: string;
  configurationName?: string;
  latestRevision?: boolean;
  percent?: number;
  url?: string;
}
export interface RevisionSpec extends PodSpec {
  containerConcurrency?: number;
  timeoutSeconds?: number;
  responseStartTimeoutSeconds?: number;
  idleTimeoutSeconds?: number;
}
export interface RevisionTemplate {
  metadata?: ObjectMeta;
  spec?: RevisionSpec;
}
export interface ServiceSpec {
  template?: RevisionTemplate;
  traffic?: TrafficTarget[];
}
export interface Address {
  name?: string;
  url?: string;
}
export interface ConfigurationStatus extends KnativeStatus {
  latestReadyRevisionName?: string;
  latestCreatedRevisionName?: string;
}
export interface RouteStatus extends KnativeStatus {
  url?: string;
  address?: Address;
  traffic?: TrafficTarget[];
}
export interface ContainerStatus {
  name?: string;
  imageDigest?: string;
}
export interface RevisionStatus extends KnativeStatus {
  serviceName?: string;
  logUrl?: string;
  containerStatuses?: ContainerStatus[];
  initContainerStatuses?: ContainerStatus[];
  actualReplicas?: number;
  desiredReplicas?: number;
}
export interface Service extends KubeObject {
  spec?: ServiceSpec;
  status?: ConfigurationStatus & RouteStatus;
}
export interface Configuration extends KubeObject {
  spec?: { template?: RevisionTemplate };
  status?: ConfigurationStatus;
}
export interface Route extends KubeObject {
  spec?: { traffic?: TrafficTarget[] };
  status?: RouteStatus;
}
export interface Revision extends KubeObject {
  spec?: RevisionSpec;
  status?: RevisionStatus;
}

const trafficTarget = object(null, {
  tag: string({ description: 'Exposes this target under its own URL.' }),
  revisionName: string({ description: 'A specific revision.' }),
  configurationName: string({ description: 'A configuration whose latest ready revision gets the traffic.' }),
  latestRevision: boolean({ description: 'True: follows the latest ready revision.' }),
  percent: int64({ description: 'Share of the traffic, 0 to 100; all targets sum to 100.' }),
  url: string({ description: 'Where a tagged target answers (status only).' }),
});

/** The pod spec without its schema defaults: a revision leaves what nobody wrote unset. */
const bareSpec = withoutDefaults(podSpecSchema);

const revisionOwn = {
  containerConcurrency: int64({ description: 'Most requests one container gets at a time; 0 is no limit.' }),
  timeoutSeconds: int64({ description: 'Most seconds a request may take.' }),
  responseStartTimeoutSeconds: int64({ description: 'Most seconds until a response starts.' }),
  idleTimeoutSeconds: int64({ description: 'Most seconds a request may stay without sending anything.' }),
} as const;

const { containers, ...podProperties } = withAtomicContainers(bareSpec.properties ?? {});
const modernRevision: Schema = {
  type: 'object',
  description: 'What a revision runs: a pod spec and how requests are given to it.',
  properties: { ...(containers === undefined ? {} : { containers }), ...podProperties, ...revisionOwn },
};

/**
 * As in Knative's CustomResourceDefinitions, containers and their ports are applied as a whole: a container need not have a name, so
 * that applying a manifest to a service which something else made must not add a second one.
 */
function withAtomicContainers(properties: Readonly<Record<string, Schema>>): Record<string, Schema> {
  const atomic = ({ 'x-kubernetes-list-type': _type, 'x-kubernetes-list-map-keys': _keys, ...schema }: Schema): Schema => ({
    ...schema,
    'x-kubernetes-list-type': 'atomic',
  });
  const result: Record<string, Schema> = { ...properties };
  for (const name of ['containers', 'initContainers']) {
    const { items, ...containers } = result[name] ?? {};
    const ports = items?.properties?.['ports'];
    if (items === undefined || ports === undefined) continue;
    result[name] = atomic({ ...containers, items: { ...items, properties: { ...items.properties, ports: atomic(ports) } } } as Schema);
  }
  return result;
}

/** v1alpha1 spoke of one `container`, and of builds. */
const legacyRevision: Schema = {
  ...modernRevision,
  properties: {
    ...modernRevision.properties,
    ...(containers?.items === undefined ? {} : { container: containers.items }),
    concurrencyModel: string(),
    servingState: string(),
    generation: int64(),
    buildName: string(),
    buildRef: anything({ type: 'object' }),
  },
};

const template = (revision: Schema): Typed<RevisionTemplate> =>
  object(
    null,
    { metadata: objectMetaSchema, spec: revision },
    { description: 'The template of the next revision.' },
  ) as Typed<RevisionTemplate>;

const legacyConfiguration = object(null, {
  generation: int64(),
  build: anything({ type: 'object' }),
  revisionTemplate: template(legacyRevision),
  template: template(legacyRevision),
});

const traffic = list(trafficTarget, { description: 'How the traffic is shared.' });
const legacyTraffic = list({ ...trafficTarget, properties: { ...trafficTarget.properties, name: string() } });
const legacyServiceModes = {
  generation: int64(),
  runLatest: object(null, { configuration: legacyConfiguration }),
  pinned: object(null, { revisionName: string(), configuration: legacyConfiguration }),
  release: object(null, { revisions: list(string()), rolloutPercent: int32(), configuration: legacyConfiguration }),
  manual: anything({ type: 'object' }),
} as const;

const configurationStatus = { latestReadyRevisionName: string(), latestCreatedRevisionName: string() } as const;
const routeStatus = { url: string(), address: addressSchema, traffic: list(trafficTarget) } as const;
/** Read by clients of 0.8; never set. */
const containerStatuses = listMap(object(null, { name: required(string()), imageDigest: string() }), ['name']);
const revisionStatus = {
  serviceName: string(),
  logUrl: string(),
  containerStatuses,
  initContainerStatuses: containerStatuses,
  actualReplicas: int32(),
  desiredReplicas: int32(),
} as const;

function kind(name: string, spec: Schema, status: Readonly<Record<string, Schema>>): Schema {
  return object(`dev.knative.serving.v1.${name}`, {
    apiVersion: string(),
    kind: string(),
    metadata: objectMetaSchema,
    spec,
    status: object(null, { ...statusProperties, ...status }),
  });
}

export const schemas = {
  service: kind('Service', object(null, { template: template(modernRevision), traffic }), { ...configurationStatus, ...routeStatus }),
  legacyService: kind(
    'Service',
    object(null, {
      ...legacyServiceModes,
      revisionTemplate: template(legacyRevision),
      template: template(legacyRevision),
      traffic: legacyTraffic,
    }),
    { ...configurationStatus, ...routeStatus },
  ),
  configuration: kind('Configuration', object(null, { template: template(modernRevision) }), configurationStatus),
  legacyConfiguration: kind('Configuration', legacyConfiguration, configurationStatus),
  route: kind('Route', object(null, { traffic }), routeStatus),
  legacyRoute: kind('Route', object(null, { generation: int64(), traffic: legacyTraffic }), routeStatus),
  revision: kind('Revision', modernRevision, revisionStatus),
  legacyRevision: kind('Revision', legacyRevision, revisionStatus),
} as const;

/**
 * The schema as a Knative webhook sees it: nothing is defaulted or required by it, because its own validation names what is
 * missing in its own words. A probe's scheme is written in any case there.
 */
function withoutDefaults(schema: Schema): Schema {
  const { default: _default, required: _required, properties, items, additionalProperties, ...rest } = schema;
  return {
    ...rest,
    ...(properties === undefined
      ? {}
      : { properties: Object.fromEntries(Object.entries(properties).map(([key, value]) => [key, bareProperty(key, value)])) }),
    ...(items === undefined ? {} : { items: withoutDefaults(items) }),
    ...(typeof additionalProperties === 'object' ? { additionalProperties: withoutDefaults(additionalProperties) } : {}),
    ...(additionalProperties === undefined || typeof additionalProperties === 'object' ? {} : { additionalProperties }),
  };
}

function bareProperty(name: string, schema: Schema): Schema {
  const { enum: values, ...rest } = withoutDefaults(schema);
  return name === 'scheme' || values === undefined ? rest : { ...rest, enum: values };
}
