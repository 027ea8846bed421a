import { parse } from 'yaml';
import { clusterDomain } from '#apis/dormouse/names.ts';
import type { NetworkConfig } from '#apis/serving/config/tables.ts';
import { domainName, tagName } from '#apis/serving/config/templates.ts';
import { labels } from '#apis/serving/names.ts';
import type { Route } from '#apis/serving/v1/schemas.ts';
import { aggregate, domainProblems } from '#apis/serving/validation/domain-name.ts';
import { TemplateError } from '#core/go-template/template.ts';

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
  return filled('TagTemplate', () => tagName(network['tag-template'], { name: route.metadata.name ?? '', tag }));
}

/** What decides the public names of a route. */
export interface HostConfig {
  readonly network: NetworkConfig;
  readonly domains: Readonly<Record<string, string>>;
  /** Tags ('' for the route itself) whose placeholder Service is labelled cluster-local; a cluster-local route is so with all its tags. */
  readonly localTags: ReadonlySet<string>;
}

/** A name cannot be made of a template, or is none; the message is the condition's. */
export class DomainNameError extends Error {
  constructor(problem: string) {
    super(`domain name error: ${problem}`);
    this.name = 'DomainNameError';
  }
}

/**
 * The host of a tag ('' for the route itself): its public one, or the local one of what is visible in the cluster alone. Throws
 * DomainNameError.
 */
export function publicHost(route: Route, tag: string, { network, domains, localTags }: HostConfig): string {
  const domain = localTags.has(tag) ? `svc.${clusterDomain}` : domainFor(route.metadata.labels ?? {}, domains);
  const name = hostName(route, tag, network);
  // Names inside the cluster are not for a template to choose.
  const host = isClusterLocal(`x.${domain}`)
    ? `${name}.${route.metadata.namespace}.${domain}`
    : filled('DomainTemplate', () => domainName(network['domain-template'], route, { name, domain }));
  const problems = domainProblems('url', host);
  if (problems.length > 0) throw new DomainNameError(`invalid domain name ${JSON.stringify(host)}: ${aggregate(problems)}`);
  return host;
}

function filled(what: string, fill: () => string): string {
  try {
    return fill();
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    throw new DomainNameError(`error executing the ${what}: ${error.message}`);
  }
}

/** The name that stands for every route of a namespace under a domain. */
export function wildcardHost(namespace: string, domain: string, network: NetworkConfig): string {
  return domainName(network['domain-template'], { metadata: { namespace } }, { name: '*', domain });
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
