import { conditionOf } from '#apis/knative/status.ts';
import { ifThere } from '#apis/meta/status.ts';
import { certificates, clusterDomainClaims, type Certificate, type ClusterDomainClaim } from '#apis/networking/v1alpha1/certificate.ts';
import { ingresses, type Ingress } from '#apis/networking/v1alpha1/ingress.ts';
import type { NetworkConfig } from '#apis/serving/config/tables.ts';
import { childName, labels } from '#apis/serving/names.ts';
import { domainMappings, type DomainMapping } from '#apis/serving/v1beta1/domain-mapping.ts';
import type { Informer } from '#client/informer-types.ts';
import { ensureChild, notOwnedRetryMs, NotOwnedError } from '#controller/children.ts';
import { timestamp, type ConditionManager } from '#controller/conditions.ts';
import { ConfigStore } from '#controller/config-store.ts';
import { done, requeue, type ControllerContext, type ControllerModule, type Enqueue, type Outcome } from '#controller/controller.ts';
import { enqueueOwner, trackChildren } from '#controller/owner.ts';
import {
  ingressTls,
  isIssued,
  makeCertificate,
  tlsNotEnabled,
  wantsTls,
  type CertificateRequest,
  type IngressTls,
} from '#serving/certificate/requests.ts';
import { removeOtherCertificates } from '#serving/certificate/stale.ts';
import { domainMappingConditions, quoted } from '#serving/conditions.ts';
import { ReferenceResolver, UnresolvedError } from '#serving/domain-mapping/reference.ts';
import { PublicPort } from '#serving/route/public-port.ts';
import { makeDomainClaim, makeIngress } from '#serving/domain-mapping/resources.ts';

/** Keeps a deleted mapping until the claim that was made for it is gone. */
const finalizer = 'domainmappings.serving.knative.dev';
const byReference = 'referenced';

/** DomainMapping → Ingress; the domain has to be claimed for the mapping's namespace first. */
export const domainMappingController: ControllerModule<DomainMapping> = {
  name: 'domainmapping-controller',
  setup(context, enqueue) {
    const ingressInformer = context.informers.of(ingresses);
    const claims = context.informers.of(clusterDomainClaims);
    const resolver = new ReferenceResolver(context.informers);
    const certificateInformer = context.informers.of(certificates);
    enqueueOwner(ingressInformer, domainMappings, enqueue);
    trackChildren(certificateInformer, domainMappings, enqueue);
    watchReferences(context, resolver, claims, enqueue);
    const config = new ConfigStore(context);
    config.onChange(['config-network'], () => enqueue.all());
    const port = new PublicPort(context);
    port.onChange(() => enqueue.all());
    const reconciler = new DomainMappingReconciler(context, {
      certificates: certificateInformer,
      ingresses: ingressInformer,
      claims,
      resolver,
      config,
      port,
    });
    return {
      resource: domainMappings,
      reconcile: (mapping) =>
        mapping.metadata.deletionTimestamp === undefined ? reconciler.reconcile(mapping) : reconciler.finalize(mapping),
    };
  },
};

/** A mapping looks again whenever what it refers to, or the claim of its domain, changes. */
function watchReferences(
  { informers }: ControllerContext,
  resolver: ReferenceResolver,
  claims: Informer<ClusterDomainClaim>,
  enqueue: Enqueue,
): void {
  const mappings = informers.of(domainMappings);
  mappings.addIndex(byReference, ({ metadata: { namespace = '', name = '' }, spec }) => [
    `claim/${name}`,
    `${spec?.ref?.kind ?? ''}/${namespace}/${spec?.ref?.name ?? ''}`,
  ]);
  const notify = (key: string) => {
    for (const { metadata } of mappings.byIndex(byReference, key)) enqueue.key(`${metadata.namespace}/${metadata.name}`);
  };
  for (const informer of [resolver.core, resolver.services, resolver.routes]) {
    informer.on(({ object: { metadata } }) => notify(`${informer.resource.kind}/${metadata.namespace}/${metadata.name}`));
  }
  claims.on(({ object: { metadata } }) => notify(`claim/${metadata.name}`));
}

interface MappingTls {
  readonly tls: readonly IngressTls[];
  readonly isSecured: boolean;
}

interface Parts {
  readonly certificates: Informer<Certificate>;
  readonly ingresses: Informer<Ingress>;
  readonly claims: Informer<ClusterDomainClaim>;
  readonly resolver: ReferenceResolver;
  readonly config: ConfigStore;
  readonly port: PublicPort;
}

class DomainMappingReconciler {
  readonly #context: ControllerContext;
  readonly #parts: Parts;

  constructor(context: ControllerContext, parts: Parts) {
    this.#context = context;
    this.#parts = parts;
  }

  async reconcile(mapping: DomainMapping): Promise<Outcome> {
    const network = this.#parts.config.get('config-network');
    const status = (mapping.status ??= {});
    const manager = domainMappingConditions.manage(status, timestamp(this.#context.clock));
    manager.initialize();
    if (mapping.metadata.generation !== status.observedGeneration) ingressNotConfigured(manager);
    if (mapping.metadata.generation !== undefined) status.observedGeneration = mapping.metadata.generation;
    const { http, https } = this.#parts.port.suffixes;
    const { name = '' } = mapping.metadata;
    status.url = `${network['default-external-scheme']}://${name}${http}`;
    status.address = { url: status.url };
    if (!(await this.#claim(mapping, manager, network))) return done;
    try {
      const { tls, isSecured } = await this.#tls(mapping, manager, network);
      if (isSecured) status.url = `https://${name}${https}`;
      status.address = { url: status.url };
      const reference = this.#parts.resolver.resolve(mapping);
      manager.markTrue('ReferenceResolved');
      return await this.#reconcileIngress(mapping, makeIngress(mapping, reference, network, tls), manager);
    } catch (error) {
      if (error instanceof NotOwnedError) {
        const message = `There is an existing certificate ${error.childName} that we don't own.`;
        manager.markFalse('CertificateProvisioned', 'CertificateNotOwned', message);
        return requeue(notOwnedRetryMs);
      }
      if (!(error instanceof UnresolvedError)) throw error;
      manager.markFalse('ReferenceResolved', 'ResolveFailed', error.message);
      return done;
    }
  }

  /** The mapping's own certificate, or the one the platform issues for it. */
  async #tls(mapping: DomainMapping, manager: ConditionManager, network: NetworkConfig): Promise<MappingTls> {
    const { name = '', namespace = '', uid = '' } = mapping.metadata;
    const own = mapping.spec?.tls?.secretName;
    const request: CertificateRequest = {
      name: childName(name, ''),
      dnsNames: [name],
      domain: name,
      type: 'external-domain',
      ownerLabels: { [labels.domainMappingUid]: uid },
    };
    const isWanted = own === undefined && wantsTls(mapping, network);
    const kept = new Set(isWanted ? [request.name] : []);
    await removeOtherCertificates(this.#context, this.#parts.certificates, mapping, kept);
    if (own !== undefined) {
      manager.markTrue('CertificateProvisioned', 'CertificateExternallyProvided', 'TLS certificate was provided externally');
      return { tls: [{ hosts: [name], secretName: own, secretNamespace: namespace }], isSecured: true };
    }
    if (!isWanted) {
      manager.markTrue('CertificateProvisioned', 'TLSNotEnabled', tlsNotEnabled);
      return { tls: [], isSecured: false };
    }
    const desired = makeCertificate(mapping, domainMappings, request, network);
    const { object: certificate } = await ensureChild(this.#context.client, this.#parts.certificates, mapping, desired);
    if (isIssued(certificate)) {
      manager.markTrue('CertificateProvisioned');
      return { tls: [ingressTls(certificate, [name])], isSecured: true };
    }
    if (network['http-protocol'] === 'Enabled') {
      manager.markTrue('CertificateProvisioned', 'HTTPDowngrade', `Certificate ${request.name} is not ready downgrade HTTP.`);
      return { tls: [], isSecured: false };
    }
    manager.markUnknown('CertificateProvisioned', 'CertificateNotReady', `Certificate ${request.name} is not ready.`);
    return { tls: [], isSecured: true };
  }

  /** Gives back the claim that was made for a mapping that goes. */
  async finalize({ metadata }: DomainMapping): Promise<Outcome> {
    const { namespace, name = '', finalizers = [] } = metadata;
    if (!finalizers.includes(finalizer)) return done;
    const claim = this.#parts.claims.get(undefined, name);
    if (this.#parts.config.get('config-network')['autocreate-cluster-domain-claims'] && claim?.spec?.namespace === namespace) {
      await ifThere(this.#context.client.of(clusterDomainClaims).delete(undefined, name));
    }
    const body = { metadata: { resourceVersion: metadata.resourceVersion, finalizers: finalizers.filter((one) => one !== finalizer) } };
    await ifThere(this.#context.client.of(domainMappings).patch(namespace, name, { type: 'merge', body }));
    return done;
  }

  /** Whether the mapping's namespace may have the domain. */
  async #claim(mapping: DomainMapping, manager: ConditionManager, network: NetworkConfig): Promise<boolean> {
    const { namespace = '', name = '', finalizers = [] } = mapping.metadata;
    const claim = this.#parts.claims.get(undefined, name);
    const automatic = network['autocreate-cluster-domain-claims'];
    if (claim === undefined && automatic) {
      if (!finalizers.includes(finalizer)) {
        const body = { metadata: { resourceVersion: mapping.metadata.resourceVersion, finalizers: [...finalizers, finalizer] } };
        await this.#context.client.of(domainMappings).patch(namespace, name, { type: 'merge', body });
      }
      await this.#context.client.of(clusterDomainClaims).create(makeDomainClaim(mapping));
    } else if (claim?.spec?.namespace !== namespace) {
      manager.markFalse('DomainClaimed', 'DomainAlreadyClaimed', 'The domain name is already in use by another DomainMapping');
      return false;
    }
    manager.markTrue('DomainClaimed');
    return true;
  }

  async #reconcileIngress(mapping: DomainMapping, desired: Ingress, manager: ConditionManager): Promise<Outcome> {
    try {
      const { object: ingress, created } = await ensureChild(this.#context.client, this.#parts.ingresses, mapping, desired);
      if (created) this.#context.events.event(mapping, 'Normal', 'Created', `Created Ingress ${quoted(ingress.metadata.name ?? '')}`);
      const ready = ingress.metadata.generation === ingress.status?.observedGeneration ? conditionOf(ingress, 'Ready') : undefined;
      if (ready === undefined) ingressNotConfigured(manager);
      else manager.propagate('IngressReady', ready.status === 'True' ? { type: 'Ready', status: 'True' } : ready);
      return done;
    } catch (error) {
      if (!(error instanceof NotOwnedError)) throw error;
      manager.markFalse('IngressReady', 'NotOwned', `There is an existing Ingress ${quoted(error.childName)} that we do not own.`);
      return requeue(notOwnedRetryMs);
    }
  }
}

function ingressNotConfigured(manager: ConditionManager): void {
  manager.markUnknown('IngressReady', 'IngressNotConfigured', 'Ingress has not yet been reconciled.');
}
