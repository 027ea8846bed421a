import type { ClusterDomainClaim } from '#apis/networking/v1alpha1/certificate.ts';
import type { Ingress } from '#apis/networking/v1alpha1/ingress.ts';
import type { NetworkConfig } from '#apis/serving/config/tables.ts';
import { annotationOf, annotations, childName, ingressClassKeys, labels } from '#apis/serving/names.ts';
import { domainMappings, type DomainMapping } from '#apis/serving/v1beta1/domain-mapping.ts';
import { pick } from '#controller/children.ts';
import { controllerReference } from '#controller/owner.ts';
import type { ResolvedReference } from '#serving/domain-mapping/reference.ts';
import { httpOption, type IngressTls } from '#serving/certificate/requests.ts';

/** Gives the mapping's namespace the right to its domain. */
export function makeDomainClaim({ metadata: { name = '', namespace = '' } }: DomainMapping): ClusterDomainClaim {
  return { metadata: { name }, spec: { namespace } };
}

/** Sends requests for the domain to the Service `service`, as requests for `host`. */
export function makeIngress(
  mapping: DomainMapping,
  { host, service }: ResolvedReference,
  network: NetworkConfig,
  tls: readonly IngressTls[] = [],
): Ingress {
  const { name = '', namespace = '', uid = '' } = mapping.metadata;
  return {
    metadata: {
      name: childName(name, ''),
      namespace,
      labels: { ...mapping.metadata.labels, [labels.domainMappingUid]: uid, [labels.domainMappingNamespace]: namespace },
      annotations: {
        [annotations.ingressClass]: annotationOf(mapping.metadata.annotations, ingressClassKeys) ?? network['ingress-class'],
        ...pick(mapping.metadata.annotations, (key) => key !== annotations.lastApplied),
      },
      ownerReferences: [controllerReference(mapping, domainMappings)],
    },
    spec: {
      httpOption: httpOption(mapping, network, tls),
      ...(tls.length === 0 ? {} : { tls: [...tls] }),
      rules: [
        {
          hosts: [name],
          visibility: 'ExternalIP',
          http: {
            paths: [
              {
                rewriteHost: host,
                splits: [
                  {
                    serviceNamespace: namespace,
                    serviceName: service,
                    servicePort: 80,
                    percent: 100,
                    appendHeaders: { 'K-Original-Host': name },
                  },
                ],
              },
            ],
          },
        },
      ],
    },
  };
}
