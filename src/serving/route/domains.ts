import { parse } from 'yaml';
import { clusterDomain } from '#apis/dormouse/names.ts';
import type { NetworkConfig } from '#apis/serving/config/tables.ts';
import { labels } from '#apis/serving/names.ts';
import type { Route } from '#apis/serving/v1/schemas.ts';

/** The domain config-domain gives an object with these labels: the entry whose selector matches most, else one without. */
export function domainFor(objectLabels: Readonly<Record<string, string>>, domains: Readonly<Record<string, string>>): string {
  if (objectLabels[labels.visibility] === 'cluster-local') return `svc.${clusterDomain}`;
  let best: { domain: string; size: number } | undefined;
  for (const [domain, text] of Object.entries(domains).toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    if (domain.startsWith('_')) continue;
    const selector = readSelector(text);
    const size = Object.keys(selector).length;
    const matches = Object.entries(selector).every(([key, value]) => objectLabels[key] === value);
    if (matches && (best === undefined || size > best.size)) best = { domain, size };
  }
  return best?.domain ?? `svc.${clusterDomain}`;
}

/** Domains under which routes answer besides their own: Knative's default, which its examples are written for, while the platform's is in use. */
export function alsoServed(domains: Readonly<Record<string, string>>): readonly string[] {
  return 'localhost' in domains ? ['example.com'] : [];
}

function readSelector(text: string): Record<string, string> {
  const content = text.trim() === '' ? undefined : (parse(text) as { selector?: Record<string, string> } | null);
  return content?.selector ?? {};
}

export const isClusterLocal = (host: string): boolean => host.endsWith(`.svc.${clusterDomain}`);

/** The name under which a tag of a route is known: tag-template for tagged targets, the route's own name else. */
export function hostName(route: Route, tag: string, network: NetworkConfig): string {
  if (tag === '') return route.metadata.name ?? '';
  return fill(network['tag-template'], { Tag: tag, Name: route.metadata.name ?? '' }, route);
}

/** What decides the public names of a route. */
export interface HostConfig {
  readonly network: NetworkConfig;
  readonly domains: Readonly<Record<string, string>>;
  /** Tags ('' for the route itself) whose placeholder Service is labelled cluster-local; a cluster-local route is so with all its tags. */
  readonly localTags: ReadonlySet<string>;
}

/** The host of a tag ('' for the route itself): its public one, or the local one of what is visible in the cluster alone. */
export function publicHost(route: Route, tag: string, { network, domains, localTags }: HostConfig): string {
  const domain = localTags.has(tag) ? `svc.${clusterDomain}` : domainFor(route.metadata.labels ?? {}, domains);
  const values = { Name: hostName(route, tag, network), Namespace: route.metadata.namespace ?? '', Domain: domain };
  return fill(isClusterLocal(`x.${domain}`) ? '{{.Name}}.{{.Namespace}}.{{.Domain}}' : network['domain-template'], values, route);
}

/** The name that stands for every route of a namespace under a domain. */
export function wildcardHost(namespace: string, domain: string, network: NetworkConfig): string {
  return fill(network['domain-template'], { Name: '*', Namespace: namespace, Domain: domain }, { metadata: {} });
}

/** Domains that config-domain gives to whatever routes have no better one, and to some: those a namespace may have names under. */
export function configuredDomains(domains: Readonly<Record<string, string>>): string[] {
  return Object.keys(domains).filter((domain) => !domain.startsWith('_') && !isClusterLocal(`x.${domain}`));
}

/** The names inside the cluster, shortest first. */
export function localHosts(route: Route, tag: string, network: NetworkConfig): string[] {
  const base = `${hostName(route, tag, network)}.${route.metadata.namespace}`;
  return [base, `${base}.svc`, `${base}.svc.${clusterDomain}`];
}

/** Go's `{{.Field}}` and `{{index .Labels "key"}}`, as far as the documented templates use them. */
function fill(template: string, values: Readonly<Record<string, string>>, route: Route): string {
  return template
    .replaceAll(/\{\{-?\s*\.(\w+)\s*-?\}\}/g, (_, field: string) => values[field] ?? '')
    .replaceAll(/\{\{-?\s*(?:index\s+)?\.(Labels|Annotations)\s+"([^"]+)"\s*-?\}\}/g, (_, map: string, key: string) => {
      const source = map === 'Labels' ? route.metadata.labels : route.metadata.annotations;
      return source?.[key] ?? '';
    });
}
