import { parse } from 'yaml';
import { namespaces, type Namespace } from '#apis/core/v1/namespace.ts';
import { selectorMatches } from '#apis/meta/label-selector.ts';
import type { LabelSelector } from '#apis/meta/object.ts';
import { certificates, type Certificate } from '#apis/networking/v1alpha1/certificate.ts';
import type { NetworkConfig } from '#apis/serving/config/tables.ts';
import { annotations, childName, labels } from '#apis/serving/names.ts';
import type { Informer } from '#client/informer-types.ts';
import { ensureChild } from '#controller/children.ts';
import { ConfigStore } from '#controller/config-store.ts';
import { done, PermanentError, type ControllerContext, type ControllerModule, type Outcome } from '#controller/controller.ts';
import { controllerReference, trackChildren } from '#controller/owner.ts';
import { errorText } from '#core/errors.ts';
import { removeOtherCertificates } from '#serving/certificate/stale.ts';
import { certificateClass } from '#serving/certificate/requests.ts';
import { configuredDomains, wildcardHost } from '#serving/route/domains.ts';

/** Namespace → one certificate a domain for all its routes, where namespace-wildcard-cert-selector of config-network chooses it. */
export const namespaceCertificateController: ControllerModule<Namespace> = {
  name: 'namespace-certificate-controller',
  setup(context, enqueue) {
    const informer = context.informers.of(certificates);
    trackChildren(informer, namespaces, enqueue);
    const config = new ConfigStore(context);
    config.onChange(['config-network', 'config-domain'], () => enqueue.all());
    const reconciler = new NamespaceCertificateReconciler(context, informer, config);
    return {
      resource: namespaces,
      skipsTerminating: true,
      reconcile: (namespace) => reconciler.reconcile(namespace),
    };
  },
};

class NamespaceCertificateReconciler {
  readonly #context: ControllerContext;
  readonly #certificates: Informer<Certificate>;
  readonly #config: ConfigStore;

  constructor(context: ControllerContext, informer: Informer<Certificate>, config: ConfigStore) {
    this.#context = context;
    this.#certificates = informer;
    this.#config = config;
  }

  async reconcile(namespace: Namespace): Promise<Outcome> {
    const network = this.#config.get('config-network');
    const domains = isChosen(namespace, network) ? configuredDomains(this.#config.data('config-domain')) : [];
    const wanted = domains.map((domain) => makeWildcardCertificate(namespace, domain, network));
    const names = new Set(wanted.map(({ metadata }) => metadata.name));
    for (const certificate of wanted) await ensureChild(this.#context.client, this.#certificates, namespace, certificate);
    await removeOtherCertificates(this.#context, this.#certificates, namespace, names);
    return done;
  }
}

/** Whether the configuration's selector (YAML) matches: `{}` everything, none nothing. Throws PermanentError for what is no selector. */
function isChosen({ metadata }: Namespace, network: NetworkConfig): boolean {
  const text = network['namespace-wildcard-cert-selector'].trim();
  if (text === '' || network['external-domain-tls'] !== 'Enabled') return false;
  try {
    return selectorMatches(parse(text) as LabelSelector, metadata.labels);
  } catch (error) {
    throw new PermanentError(`namespace-wildcard-cert-selector of config-network is no label selector: ${errorText(error)}`, error);
  }
}

function makeWildcardCertificate(namespace: Namespace, domain: string, network: NetworkConfig): Certificate {
  const home = namespace.metadata.name ?? '';
  const dnsName = wildcardHost(home, domain, network);
  const name = childName(dnsName.replace(/^\*\./, ''), '');
  return {
    metadata: {
      name,
      namespace: home,
      labels: { [labels.wildcardDomain]: domain },
      annotations: { [annotations.certificateClass]: certificateClass(namespace, network) },
      ownerReferences: [controllerReference(namespace, namespaces)],
    },
    spec: { dnsNames: [dnsName], domain, secretName: name },
  };
}
