import type { Service as CoreService } from '#apis/core/v1/service.ts';
import { clusterDomain, systemNamespace } from '#apis/dormouse/names.ts';
import type { Ingress, IngressPath, IngressRule, IngressSplit } from '#apis/networking/v1alpha1/ingress.ts';
import type { FeaturesConfig } from '#apis/serving/config/tables.ts';
import { annotationOf, annotations, ingressClassKeys, labels } from '#apis/serving/names.ts';
import { routes } from '#apis/serving/v1/kinds.ts';
import type { Route, TrafficTarget } from '#apis/serving/v1/schemas.ts';
import { controllerReference } from '#controller/owner.ts';
import { pick } from '#controller/children.ts';
import { alsoServed, hostName, isClusterLocal, localHosts, publicHost, type HostConfig } from '#serving/route/domains.ts';
import { httpOption, type IngressTls } from '#serving/certificate/requests.ts';
import type { UrlPorts } from '#serving/route/public-port.ts';
import { rolled, type Rollout } from '#serving/route/rollout.ts';
import type { RevisionTarget } from '#serving/route/traffic.ts';

/** Where in-cluster names of routes lead: the gateway's cluster-local listener. */
const localGateway = `gateway-local.${systemNamespace}.svc.${clusterDomain}`;

export interface RouteConfig extends HostConfig {
  readonly features: FeaturesConfig;
  readonly ports: UrlPorts;
  /** Hosts whose URLs say https. */
  readonly secured: ReadonlySet<string>;
}

/** The tags of a plan, the route itself ('') first. */
export function tagsOf(targets: readonly RevisionTarget[]): string[] {
  return ['', ...new Set(targets.map(({ tag }) => tag).filter((tag) => tag !== ''))].toSorted();
}

/** URL of a route or of one of its tags. */
export function routeUrl(route: Route, tag: string, config: RouteConfig): string {
  const host = publicHost(route, tag, config);
  if (isClusterLocal(host)) return localUrl(host, config.secured);
  if (config.secured.has(host)) return `https://${host}${config.ports.https}`;
  return `${config.network['default-external-scheme']}://${host}${config.ports.http}`;
}

/** URL of a name inside the cluster. */
export const localUrl = (host: string, secured: ReadonlySet<string>): string => `${secured.has(host) ? 'https' : 'http'}://${host}`;

/** status.traffic of a plan. */
export function statusTraffic(route: Route, targets: readonly RevisionTarget[], config: RouteConfig): TrafficTarget[] {
  return targets.map(({ revision, tag, percent, latestRevision }) => ({
    revisionName: revision,
    percent,
    latestRevision,
    ...(tag === '' ? {} : { tag, url: routeUrl(route, tag, config) }),
  }));
}

export function makeIngress(route: Route, shares: Shares, config: RouteConfig, tls: readonly IngressTls[]): Ingress {
  const { targets, rollout } = shares;
  const { name = '', namespace = '' } = route.metadata;
  const service = route.metadata.labels?.[labels.service];
  const tagged = tagsOf(targets).filter((tag) => tag !== '');
  const hosts = Object.fromEntries(tagged.map((tag) => [tag, primaryHosts(route, tag, config)]));
  return {
    metadata: {
      name,
      namespace,
      labels: {
        ...route.metadata.labels,
        [labels.route]: name,
        [labels.routeNamespace]: namespace,
        ...(service === undefined ? {} : { [labels.service]: service }),
      },
      annotations: {
        [annotations.ingressClass]: annotationOf(route.metadata.annotations, ingressClassKeys) ?? config.network['ingress-class'],
        ...pick(route.metadata.annotations, (key) => key !== annotations.lastApplied),
        [annotations.rollout]: JSON.stringify(rollout),
        ...(tagged.length === 0 ? {} : { [annotations.tagToHost]: JSON.stringify(hosts) }),
      },
      ownerReferences: [controllerReference(route, routes)],
    },
    spec: {
      httpOption: httpOption(route, config.network, tls),
      ...(tls.length === 0 ? {} : { tls: [...tls] }),
      rules: tagsOf(targets).flatMap((tag) => makeRules(route, tag, shares, config)),
    },
  };
}

/** The full names of a tag: the one inside the cluster, then the public one, where it has one. */
function primaryHosts(route: Route, tag: string, config: RouteConfig): string[] {
  return [...new Set([...localHosts(route, tag, config.network).slice(-1), publicHost(route, tag, config)])];
}

/** Where traffic is meant to go, and how far it has got. */
export interface Shares {
  readonly targets: readonly RevisionTarget[];
  readonly rollout: Rollout;
}

function makeRules(route: Route, tag: string, shares: Shares, config: RouteConfig): IngressRule[] {
  const paths = makePaths(tag, shares, route.metadata.namespace ?? '', config);
  const local: IngressRule = { hosts: localHosts(route, tag, config.network), visibility: 'ClusterLocal', http: { paths } };
  const host = publicHost(route, tag, config);
  if (isClusterLocal(host)) return [local];
  const extra = alsoServed(config.domains).map((domain) => `${hostName(route, tag, config.network)}.${route.metadata.namespace}.${domain}`);
  return [local, { hosts: [host, ...extra.filter((other) => other !== host)], visibility: 'ExternalIP', http: { paths } }];
}

/** The path of a tag; of the route itself also one for each tag named in a header, where that is enabled. The container is told the tag. */
function makePaths(tag: string, { targets, rollout }: Shares, namespace: string, { features }: RouteConfig): IngressPath[] {
  const byHeader = features['tag-header-based-routing'] === 'Enabled';
  const splitsOf = (of: string) => makeSplits(rolled(of === '' ? targets : atFull(targets, of), of, rollout), namespace);
  const splits = splitsOf(tag);
  if (!byHeader) return [{ splits }];
  if (tag !== '') return [{ splits, appendHeaders: { 'Knative-Serving-Tag': tag } }];
  const tagged = tagsOf(targets).filter((one) => one !== '');
  return [
    ...tagged.map((one) => ({ headers: { 'Knative-Serving-Tag': { exact: one } }, splits: splitsOf(one) })),
    { splits, appendHeaders: { 'Knative-Serving-Default-Route': 'true' } },
  ];
}

/** A tag's own URL goes to its target alone. */
function atFull(targets: readonly RevisionTarget[], tag: string): RevisionTarget[] {
  return targets.filter((target) => target.tag === tag).map((target) => ({ ...target, percent: 100 }));
}

/** One split a revision, in order of their names; targets without traffic are left out. */
function makeSplits(targets: readonly RevisionTarget[], namespace: string): IngressSplit[] {
  const percents = new Map<string, { percent: number; protocol: RevisionTarget['protocol'] }>();
  for (const { revision, percent, protocol } of targets) {
    const sum = (percents.get(revision)?.percent ?? 0) + percent;
    if (sum > 0) percents.set(revision, { percent: sum, protocol });
  }
  return [...percents]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([revision, { percent, protocol }]) => ({
      serviceNamespace: namespace,
      serviceName: revision,
      servicePort: protocol === 'h2c' ? 81 : 80,
      percent,
      appendHeaders: { 'Knative-Serving-Revision': revision, 'Knative-Serving-Namespace': namespace },
    }));
}

/** The core Service that makes a route (or one of its tags) known by name inside the cluster. */
export function makePlaceholderService(route: Route, tag: string, config: RouteConfig): CoreService {
  const { name = '', namespace = '' } = route.metadata;
  return {
    metadata: {
      name: hostName(route, tag, config.network),
      namespace,
      labels: {
        // A placeholder's own visibility is for its users to set.
        ...pick(route.metadata.labels, (key) => key !== labels.visibility),
        [labels.route]: name,
        ...(tag === '' ? {} : { 'serving.knative.dev/tag': tag }),
      },
      annotations: pick(route.metadata.annotations, (key) => key !== annotations.lastApplied),
      ownerReferences: [controllerReference(route, routes)],
    },
    spec: {
      type: 'ExternalName',
      externalName: localGateway,
      sessionAffinity: 'None',
      ports: [{ name: 'http2', port: 80, targetPort: 80, protocol: 'TCP', appProtocol: 'kubernetes.io/h2c' }],
    },
  };
}
