import { services as coreServices, type Service as CoreService } from '#apis/core/v1/service.ts';
import type { Resource } from '#apis/definition.ts';
import { clusterDomain } from '#apis/dormouse/names.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import { routes, services } from '#apis/serving/v1/kinds.ts';
import type { Address, Route, Service } from '#apis/serving/v1/schemas.ts';
import type { DomainMapping, Reference } from '#apis/serving/v1beta1/domain-mapping.ts';
import type { Informer, Informers } from '#client/informer-types.ts';

/** Where a mapping's reference leads: a host name inside the cluster, and the core Service behind it. */
export interface ResolvedReference {
  readonly host: string;
  readonly service: string;
}

/** The reference leads nowhere; the message is the condition's. */
export class UnresolvedError extends Error {}

/** Finds out what references lead to: core Services by their name, Knative's Services and Routes by their address. */
export class ReferenceResolver {
  readonly core: Informer<CoreService>;
  readonly services: Informer<Service>;
  readonly routes: Informer<Route>;

  constructor(informers: Informers) {
    this.core = informers.of(coreServices);
    this.services = informers.of(services);
    this.routes = informers.of(routes);
  }

  /** Throws UnresolvedError. */
  resolve({ metadata: { namespace = '' }, spec }: DomainMapping): ResolvedReference {
    const ref = spec?.ref ?? {};
    const url = this.#urlOf(ref, ref.namespace ?? namespace);
    const { hostname, pathname } = new URL(url);
    if (pathname.replace(/\/$/, '') !== '') throw new UnresolvedError(`resolved URI ${JSON.stringify(url)} contains a path`);
    const suffix = `.svc.${clusterDomain}`;
    const parts = hostname.endsWith(suffix) ? hostname.slice(0, -suffix.length).split('.') : [];
    const [service = '', home] = parts;
    if (parts.length !== 2) {
      throw new UnresolvedError(`resolved URI ${JSON.stringify(url)} must be of the form {name}.{namespace}${suffix}`);
    }
    if (home !== namespace) throw new UnresolvedError(`resolved URI ${JSON.stringify(url)} must be in same namespace as DomainMapping`);
    return { host: hostname, service };
  }

  #urlOf(ref: Reference, namespace: string): string {
    const { apiVersion = '', kind = '', name = '' } = ref;
    if (apiVersion === 'v1' && kind === 'Service') {
      find(this.core, namespace, name);
      return `http://${name}.${namespace}.svc.${clusterDomain}`;
    }
    const isServing = apiVersion.startsWith('serving.knative.dev/');
    const informer = isServing && kind === 'Service' ? this.services : isServing && kind === 'Route' ? this.routes : undefined;
    if (informer === undefined) {
      throw new UnresolvedError(`failed to get lister for ${kind}.${apiVersion}: only Services and Routes can be mapped`);
    }
    const found = find<KubeObject & { status?: { address?: Address } }>(informer, namespace, name);
    const url = found.status?.address?.url;
    if (url === undefined || url === '') {
      const shown = `Kind = ${kind}, Namespace = ${namespace}, Name = ${name}, APIVersion = ${apiVersion}, Group = ${ref.group ?? ''}`;
      throw new UnresolvedError(`address not set for ${shown}, Address = ${ref.address ?? ''}`);
    }
    return url;
  }
}

function find<T extends KubeObject>(
  informer: { get(namespace: string, name: string): T | undefined; resource: Resource },
  namespace: string,
  name: string,
): T {
  const found = informer.get(namespace, name);
  if (found !== undefined) return found;
  const { plural, group } = informer.resource;
  const resource = group === '' ? plural : `${plural}.${group}`;
  throw new UnresolvedError(`failed to get object ${namespace}/${name}: ${resource} ${JSON.stringify(name)} not found`);
}
