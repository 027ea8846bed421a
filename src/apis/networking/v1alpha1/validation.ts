import type { AdmissionContext } from '#apis/definition.ts';
import { denied, generic, invalidValue, missingField, viaField, viaIndex, type Finding } from '#apis/knative/field-error.ts';
import type { Certificate } from '#apis/networking/v1alpha1/certificate.ts';
import type { Ingress, IngressPath, IngressRule, IngressSpec, IngressSplit } from '#apis/networking/v1alpha1/ingress.ts';

type Where = Pick<AdmissionContext, 'subresource'>;

/** What Knative's webhook makes of an Ingress before it is looked at. */
export function setIngressDefaults({ spec }: Ingress): void {
  for (const rule of spec?.rules ?? []) {
    if ((rule.visibility ?? '') === '') rule.visibility = 'ExternalIP';
    for (const { splits } of rule.http?.paths ?? []) {
      const [only] = splits;
      if (splits.length === 1 && only !== undefined && (only.percent ?? 0) === 0) only.percent = 100;
    }
  }
}

/** Throws the denial of Knative's webhook. */
export function validateIngress({ metadata, spec }: Ingress, { subresource }: Where): readonly [] {
  if (subresource === 'status') return [];
  const findings = isEmpty(spec) ? [missingField('spec')] : viaField('spec', specFindings(spec as IngressSpec, metadata.namespace ?? ''));
  return refuse(findings);
}

/** Throws the denial of Knative's webhook. */
export function validateCertificate({ spec }: Certificate, { subresource }: Where): readonly [] {
  if (subresource === 'status') return [];
  const { dnsNames = [], secretName = '', domain = '' } = spec ?? {};
  const lies = dnsNames.some((name) => name === domain || name.endsWith(`.${domain}`));
  const suffixText = 'domain must be a suffix of, or match exactly, at least one entry in dnsNames';
  return refuse(
    viaField('spec', [
      ...(dnsNames.length === 0 ? [missingField('dnsNames')] : []),
      ...dnsNames.flatMap((name, index) => (name === '' ? [invalidValue(name, `dnsNames[${index}]`)] : [])),
      ...(secretName === '' ? [missingField('secretName')] : []),
      ...(domain !== '' && dnsNames.length > 0 && !lies ? [invalidValue('domain', suffixText)] : []),
    ]),
  );
}

function refuse(findings: readonly Finding[]): readonly [] {
  if (findings.length > 0) throw denied('validation.webhook.serving.knative.dev', findings);
  return [];
}

const isEmpty = (value: object | undefined): boolean => value === undefined || Object.keys(value).length === 0;

function specFindings({ rules = [], tls = [] }: IngressSpec, namespace: string): Finding[] {
  return [
    ...(rules.length === 0 ? [missingField('rules')] : []),
    ...rules.flatMap((rule, index) => viaIndex('rules', index, ruleFindings(rule, namespace))),
    ...tls.flatMap((one, index) => viaIndex('tls', index, tlsFindings(one))),
  ];
}

function ruleFindings(rule: IngressRule, namespace: string): Finding[] {
  if (isEmpty(rule)) return [missingField('')];
  if (rule.http === undefined) return [missingField('http')];
  const { paths } = rule.http;
  if (paths.length === 0) return [missingField('http.paths')];
  return viaField(
    'http',
    paths.flatMap((path, index) => viaIndex('paths', index, pathFindings(path, namespace))),
  );
}

function pathFindings({ splits }: IngressPath, namespace: string): Finding[] {
  if (splits.length === 0) return [missingField('splits')];
  for (const [index, split] of splits.entries()) {
    const findings = splitFindings(split, namespace);
    if (findings.length > 0) return viaIndex('splits', index, findings);
  }
  const total = splits.reduce((sum, { percent = 0 }) => sum + percent, 0);
  const isImplied = splits.length === 1 && total === 0;
  return isImplied || total === 100 ? [] : [generic(`traffic split percentage must total to 100, but was ${total}`, 'splits')];
}

function splitFindings({ percent = 0, serviceName, serviceNamespace, servicePort }: IngressSplit, namespace: string): Finding[] {
  return [
    ...(percent < 0 || percent > 100 ? [invalidValue(percent, 'percent')] : []),
    ...(serviceNamespace === '' ? [missingField('serviceNamespace')] : []),
    ...(serviceNamespace !== '' && serviceNamespace !== namespace
      ? [generic('service namespace must match ingress namespace', 'serviceNamespace')]
      : []),
    ...(serviceName === '' ? [missingField('serviceName')] : []),
    ...(servicePort === 0 || servicePort === '' ? [missingField('servicePort')] : []),
  ];
}

function tlsFindings(tls: NonNullable<IngressSpec['tls']>[number]): Finding[] {
  if (isEmpty(tls)) return [missingField('')];
  const { secretName = '', secretNamespace = '' } = tls;
  return [...(secretName === '' ? [missingField('secretName')] : []), ...(secretNamespace === '' ? [missingField('secretNamespace')] : [])];
}
