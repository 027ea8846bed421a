import { certificates, type Certificate } from '#apis/networking/v1alpha1/certificate.ts';
import { certificateName, labels } from '#apis/serving/names.ts';
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
  type IngressTls,
} from '#serving/certificate/requests.ts';
import { removeOtherCertificates } from '#serving/certificate/stale.ts';
import { domainFor, isClusterLocal, publicHost, type HostConfig } from '#serving/route/domains.ts';

/** What a route may use of TLS at the moment. */
export interface RouteTls {
  readonly tls: readonly IngressTls[];
  /** Public hosts whose URLs say https. */
  readonly secured: ReadonlySet<string>;
}

const byWildcardDomain = 'wildcard-domain';

/** Route → Certificates, one a public host, unless one for all hosts of the namespace covers it. */
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
    const hosts = new Map(tags.map((tag) => [publicHost(route, tag, config), tag] as const).filter(([host]) => !isClusterLocal(host)));
    const wanted = wantsTls(route, config.network) ? hosts : new Map<string, string>();
    const found = await Promise.all(
      [...wanted].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([host, tag]) => this.#certificateOf(route, host, tag, config)),
    );
    const kept = new Set(found.map(({ certificate }) => certificate.metadata.name));
    await removeOtherCertificates(this.#context, this.#certificates, route, kept);
    if (wanted !== hosts) manager.markTrue('CertificateProvisioned', 'TLSNotEnabled', tlsNotEnabled);
    else if (hosts.size === 0) manager.markTrue('CertificateProvisioned', 'TLSNotEnabled', 'TLS is not enabled for cluster-local');
    else this.#mark(found, config, manager);
    const issued = found.filter(({ certificate }) => isIssued(certificate));
    // Where plain requests are refused or redirected, a URL without TLS would be of no use.
    const secured = config.network['http-protocol'] === 'Enabled' ? issued : found;
    return {
      tls: issued.map(({ certificate, host }) => ingressTls(certificate, [host])),
      secured: new Set(secured.map(({ host }) => host)),
    };
  }

  async #certificateOf(route: Route, host: string, tag: string, { network, domains }: HostConfig): Promise<HostCertificate> {
    const domain = domainFor(route.metadata.labels ?? {}, domains);
    const wildcard = `*${host.slice(host.indexOf('.'))}`;
    const shared = this.#certificates
      .byIndex(byWildcardDomain, `${route.metadata.namespace}/${domain}`)
      .find(({ spec }) => spec?.dnsNames.includes(wildcard) === true);
    if (shared !== undefined) return { host, certificate: shared };
    const name = certificateName(route.metadata.uid ?? '', tag);
    const ownerLabels = { [labels.route]: route.metadata.name ?? '' };
    const desired = makeCertificate(route, routes, { name, dnsName: host, domain, ownerLabels }, network);
    const { object, created } = await ensureChild(this.#context.client, this.#certificates, route, desired);
    if (created) this.#context.events.event(route, 'Normal', 'Created', `Created Certificate ${route.metadata.namespace}/${name}`);
    return { host, certificate: object };
  }

  /** The worst of them is the route's condition. */
  #mark(found: readonly HostCertificate[], { network }: HostConfig, manager: ConditionManager): void {
    const open = found.map(({ certificate }) => certificate).filter((certificate) => !isIssued(certificate));
    const worst = open.find((certificate) => problemOf(certificate).failed) ?? open[0];
    if (worst === undefined) return manager.markTrue('CertificateProvisioned');
    const { name = '' } = worst.metadata;
    const { failed, reason } = problemOf(worst);
    if (network['http-protocol'] === 'Enabled') {
      manager.markTrue('CertificateProvisioned', 'HTTPDowngrade', `Certificate ${name} is not ready downgrade HTTP.`);
    } else if (failed) {
      manager.markFalse('CertificateProvisioned', 'CertificateProvisionFailed', `Certificate ${name} fails to be provisioned: ${reason}`);
    } else manager.markUnknown('CertificateProvisioned', 'CertificateNotReady', `Certificate ${name} is not ready: ${reason}`);
  }
}

interface HostCertificate {
  readonly host: string;
  readonly certificate: Certificate;
}
