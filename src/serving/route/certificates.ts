import { clusterDomain } from '#apis/dormouse/names.ts';
import { certificates, type Certificate } from '#apis/networking/v1alpha1/certificate.ts';
import { certificateName, labels, localCertificateName } from '#apis/serving/names.ts';
import type { NetworkConfig } from '#apis/serving/config/tables.ts';
import { routes } from '#apis/serving/v1/kinds.ts';
import type { Route } from '#apis/serving/v1/schemas.ts';
import type { Informer } from '#client/informer-types.ts';
import { ensureChild } from '#controller/children.ts';
import type { ConditionManager } from '#controller/conditions.ts';
import type { ControllerContext } from '#controller/controller.ts';
import {
  ingressTls,
  isIssued,
  makeCertificate,
  problemOf,
  tlsNotEnabled,
  wantsTls,
  type CertificateRequest,
  type IngressTls,
} from '#serving/certificate/requests.ts';
import { removeOtherCertificates } from '#serving/certificate/stale.ts';
import { domainFor, isClusterLocal, localHosts, publicHost, type HostConfig } from '#serving/route/domains.ts';

/** What a route may use of TLS at the moment. */
export interface RouteTls {
  readonly tls: readonly IngressTls[];
  /** Hosts, public and inside the cluster, whose URLs say https. */
  readonly secured: ReadonlySet<string>;
}

/** A certificate and the hosts of the route that it is for. */
interface HostCertificate {
  readonly hosts: readonly string[];
  readonly certificate: Certificate;
}

const byWildcardDomain = 'wildcard-domain';

/** Route → Certificates, one a public host, unless one for all hosts of the namespace covers it; and one a tag for the names inside the cluster. */
export class RouteCertificates {
  readonly #context: ControllerContext;
  readonly #certificates: Informer<Certificate>;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#certificates = context.informers.of(certificates);
    this.#certificates.addIndex(byWildcardDomain, ({ metadata }) => {
      const domain = metadata.labels?.[labels.wildcardDomain];
      return domain === undefined ? [] : [`${metadata.namespace}/${domain}`];
    });
  }

  /** Marks CertificateProvisioned. Throws NotOwnedError when a certificate's name is taken. */
  async reconcile(route: Route, tags: readonly string[], config: HostConfig, manager: ConditionManager): Promise<RouteTls> {
    const { network } = config;
    const isExternal = wantsTls(route, network);
    const isLocal = network['cluster-local-domain-tls'] === 'Enabled';
    const external = isExternal ? await this.#externalOnes(route, tags, config) : [];
    const local = isLocal ? await Promise.all(tags.map((tag) => this.#localOne(route, tag, config))) : [];
    const all = [...external, ...local];
    await removeOtherCertificates(
      this.#context,
      this.#certificates,
      route,
      new Set(all.map(({ certificate }) => certificate.metadata.name)),
    );
    const problem = worstOf(local, false) ?? worstOf(external, network['http-protocol'] === 'Enabled');
    if (problem !== undefined) markProblem(problem, manager);
    else if (all.length > 0) manager.markTrue('CertificateProvisioned');
    else manager.markTrue('CertificateProvisioned', 'TLSNotEnabled', isExternal ? 'TLS is not enabled for cluster-local' : tlsNotEnabled);
    const issued = all.filter(({ certificate }) => isIssued(certificate));
    // Where plain requests are refused or redirected, a public URL without TLS would be of no use.
    const secured = network['http-protocol'] === 'Enabled' ? issued : [...external, ...issued];
    return {
      tls: issued.map(({ certificate, hosts }) => ingressTls(certificate, hosts)),
      secured: new Set(secured.flatMap(({ hosts }) => hosts)),
    };
  }

  #externalOnes(route: Route, tags: readonly string[], config: HostConfig): Promise<HostCertificate[]> {
    const hosts = new Map(tags.map((tag) => [publicHost(route, tag, config), tag] as const).filter(([host]) => !isClusterLocal(host)));
    return Promise.all(
      [...hosts].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([host, tag]) => this.#externalOne(route, host, tag, config)),
    );
  }

  async #externalOne(route: Route, host: string, tag: string, { network, domains }: HostConfig): Promise<HostCertificate> {
    const domain = domainFor(route.metadata.labels ?? {}, domains);
    const wildcard = `*${host.slice(host.indexOf('.'))}`;
    const shared = this.#certificates
      .byIndex(byWildcardDomain, `${route.metadata.namespace}/${domain}`)
      .find(({ spec }) => spec?.dnsNames.includes(wildcard) === true);
    if (shared !== undefined) return { hosts: [host], certificate: shared };
    const name = certificateName(route.metadata.uid ?? '', tag);
    return this.#ensure(route, { name, dnsNames: [host], domain, type: 'external-domain' }, network);
  }

  #localOne(route: Route, tag: string, { network }: HostConfig): Promise<HostCertificate> {
    const name = localCertificateName(route.metadata.uid ?? '', tag);
    const dnsNames = localHosts(route, tag, network).toSorted();
    return this.#ensure(route, { name, dnsNames, domain: `svc.${clusterDomain}`, type: 'cluster-local-domain' }, network);
  }

  async #ensure(route: Route, request: Omit<CertificateRequest, 'ownerLabels'>, network: NetworkConfig): Promise<HostCertificate> {
    const ownerLabels = { [labels.route]: route.metadata.name ?? '' };
    const desired = makeCertificate(route, routes, { ...request, ownerLabels }, network);
    const { object, created } = await ensureChild(this.#context.client, this.#certificates, route, desired);
    if (created) this.#context.events.event(route, 'Normal', 'Created', `Created Certificate ${route.metadata.namespace}/${request.name}`);
    return { hosts: request.dnsNames, certificate: object };
  }
}

interface Problem {
  readonly certificate: Certificate;
  /** Plain requests are served meanwhile. */
  readonly isDowngraded: boolean;
}

/** The first of those that failed, else the first that is not there yet. */
function worstOf(found: readonly HostCertificate[], isDowngraded: boolean): Problem | undefined {
  const open = found.map(({ certificate }) => certificate).filter((certificate) => !isIssued(certificate));
  const certificate = open.find((one) => problemOf(one).failed) ?? open[0];
  return certificate === undefined ? undefined : { certificate, isDowngraded };
}

function markProblem({ certificate, isDowngraded }: Problem, manager: ConditionManager): void {
  const { name = '' } = certificate.metadata;
  const { failed, reason } = problemOf(certificate);
  if (isDowngraded) {
    manager.markTrue('CertificateProvisioned', 'HTTPDowngrade', `Certificate ${name} is not ready downgrade HTTP.`);
  } else if (failed) {
    manager.markFalse('CertificateProvisioned', 'CertificateProvisionFailed', `Certificate ${name} fails to be provisioned: ${reason}`);
  } else manager.markUnknown('CertificateProvisioned', 'CertificateNotReady', `Certificate ${name} is not ready: ${reason}`);
}
