import { defineKind, resourceOf } from '#apis/definition.ts';
import { clusterDomain } from '#apis/dormouse/names.ts';
import { denied, disallowedFields, generic, missingField, viaField, type Finding } from '#apis/knative/field-error.ts';
import { addressSchema, readyColumns, statusProperties, type KnativeStatus } from '#apis/knative/status.ts';
import { objectMetaSchema, type KubeObject, type ObjectMeta } from '#apis/meta/object.ts';
import { object, string } from '#apis/schema.ts';
import { servingGroup } from '#apis/serving/names.ts';
import { aggregate, domainProblems } from '#apis/serving/validation/domain-name.ts';
import { setUserInfo } from '#apis/serving/v1/defaults.ts';
import type { Address } from '#apis/serving/v1/schemas.ts';
import { sameValue } from '#apis/serving/validation/difference.ts';
import { validateUserAnnotations } from '#apis/serving/validation/objects.ts';

/** What a domain leads to: something with an address of the form `name.namespace.svc.cluster.local`. */
export interface Reference {
  kind?: string;
  apiVersion?: string;
  name?: string;
  namespace?: string;
  group?: string;
  address?: string;
}

/** Its name is the domain; requests for it go to `ref`. */
export interface DomainMapping extends KubeObject {
  spec?: { ref?: Reference; tls?: { secretName?: string } };
  status?: KnativeStatus & { url?: string; address?: Address };
}

const schema = object('dev.knative.serving.v1beta1.DomainMapping', {
  apiVersion: string(),
  kind: string(),
  metadata: objectMetaSchema,
  spec: object(null, {
    ref: object(null, { kind: string(), apiVersion: string(), name: string(), namespace: string(), group: string(), address: string() }),
    tls: object(null, { secretName: string() }),
  }),
  status: object(null, { ...statusProperties, url: string(), address: addressSchema }),
});

export const domainMappingDefinition = defineKind<DomainMapping>({
  group: servingGroup,
  kind: 'DomainMapping',
  plural: 'domainmappings',
  singular: 'domainmapping',
  shortNames: ['dm'],
  categories: ['all', 'knative', 'serving'],
  versions: [
    {
      name: 'v1beta1',
      schema,
      served: true,
      columns: [{ name: 'URL', type: 'string', value: '.status.url' }, ...readyColumns],
    },
  ],
  default(mapping, context) {
    const ref = mapping.spec?.ref;
    if (ref !== undefined && (ref.namespace ?? '') === '') ref.namespace = mapping.metadata.namespace ?? '';
    setUserInfo(mapping, context, sameValue(context.old?.spec, mapping.spec));
  },
  validate(mapping, context) {
    if (context.subresource === 'status') return [];
    const findings = [
      ...viaField('metadata', validateDomain(mapping.metadata)),
      ...(context.old === undefined ? [] : validateUserAnnotations(mapping, context.old)),
      ...viaField('spec.ref', validateReference(mapping.spec?.ref ?? {}, mapping.metadata.namespace ?? '')),
    ];
    if (findings.length > 0) throw denied('validation.webhook.serving.knative.dev', findings);
    return [];
  },
});
export const domainMappings = resourceOf(domainMappingDefinition);

function validateDomain({ name = '', generateName = '' }: ObjectMeta): Finding[] {
  const findings: Finding[] = generateName === '' ? [] : [disallowedFields('generateName')];
  const problems = domainProblems('name', name);
  if (problems.length > 0) findings.push(generic(`invalid name ${JSON.stringify(name)}: ${aggregate(problems)}`, 'name'));
  if (name.endsWith(`.${clusterDomain}`)) {
    const text = `invalid name ${JSON.stringify(name)}: must not be a subdomain of cluster local domain ${JSON.stringify(clusterDomain)}`;
    findings.push(generic(text, 'name'));
  }
  return findings;
}

function validateReference({ name = '', apiVersion = '', kind = '', group = '', namespace = '' }: Reference, parent: string): Finding[] {
  const findings: Finding[] = [];
  if (name === '') findings.push(missingField('name'));
  if (group !== '') findings.push(disallowedFields('group'));
  if (apiVersion === '') findings.push(missingField('apiVersion'));
  if (kind === '') findings.push(missingField('kind'));
  if (namespace !== '' && parent !== '' && namespace !== parent) {
    const details = `parent namespace: ${JSON.stringify(parent)} does not match ref: ${JSON.stringify(namespace)}`;
    findings.push({ message: 'mismatched namespaces', paths: ['namespace'], details });
  }
  return findings;
}
