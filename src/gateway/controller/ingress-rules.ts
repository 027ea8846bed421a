import { createHash } from 'node:crypto';
import { clusterDomain } from '#apis/dormouse/names.ts';
import type { IngressPath, IngressRule } from '#apis/networking/v1alpha1/ingress.ts';
import { annotationOf, ingressClassKeys } from '#apis/serving/names.ts';
import type { Ingress } from '#gateway/controller/kinds.ts';
import type { PathConfig, RuleConfig } from '#gateway/routes/route-config.ts';
import { normalizeHost } from '#gateway/routes/route-table.ts';

/** A Service port that an Ingress sends requests to. */
export interface ServiceRef {
  readonly namespace: string;
  readonly name: string;
  readonly port: string;
}

/**
 * Whether an Ingress is one of Knative's, of whatever implementation: here there is one gateway. One without a class, or with a class of
 * another kind, is for somebody else.
 */
export function hasKnativeClass({ metadata }: Ingress): boolean {
  return annotationOf(metadata.annotations, ingressClassKeys)?.endsWith('.ingress.networking.knative.dev') === true;
}

/** Every Service port an Ingress names, those at zero percent left out. */
export function servicesOf(ingress: Ingress): ServiceRef[] {
  const paths = (ingress.spec?.rules ?? []).flatMap((rule) => rule.http?.paths ?? []);
  return paths.flatMap((path) => path.splits.filter(({ percent }) => percent !== 0).map(serviceRef));
}

type Split = IngressPath['splits'][number];

function serviceRef(split: Split): ServiceRef {
  return { namespace: split.serviceNamespace, name: split.serviceName, port: String(split.servicePort) };
}

/** The rules of an Ingress for the data plane. `backendKey` names the backend of a Service port. */
export function rulesOf(ingress: Ingress, backendKey: (service: ServiceRef) => string): RuleConfig[] {
  const probeHash = hashOf(ingress);
  return (ingress.spec?.rules ?? []).map((rule) => {
    // Knative's default visibility is ExternalIP.
    const visibility = rule.visibility === 'ClusterLocal' ? 'local' : 'external';
    return {
      hosts: (rule.hosts ?? []).map(normalizeHost),
      visibility,
      ...(isRedirected(ingress, rule) ? { redirectToHttps: true } : {}),
      probeHash,
      paths: pathsOf(rule).map((path) => pathConfig(path, backendKey)),
    };
  });
}

/** Plain requests are led to https where that is for the rule's hosts: public names may have certificates and those inside the cluster none. */
function isRedirected({ spec }: Ingress, rule: IngressRule): boolean {
  if (spec?.httpOption !== 'Redirected') return false;
  const { tls = [] } = spec;
  if (tls.length === 0) return rule.visibility !== 'ClusterLocal';
  const secured = new Set(tls.flatMap(({ hosts = [] }) => hosts).map(normalizeHost));
  return (rule.hosts ?? []).map(normalizeHost).some((host) => secured.has(host) || secured.has(`*${host.slice(host.indexOf('.'))}`));
}

/** The names other pods know a revision by, without a route; a call wakes it as any other. */
export function revisionRule({ namespace, name }: ServiceRef, backend: string): RuleConfig {
  const hosts = [`${name}.${namespace}`, `${name}.${namespace}.svc`, `${name}.${namespace}.svc.${clusterDomain}`];
  const appendHeaders = { 'Knative-Serving-Revision': name, 'Knative-Serving-Namespace': namespace };
  return { hosts, visibility: 'local', paths: [{ splits: [{ backend, percent: 100, appendHeaders }] }] };
}

function pathsOf(rule: IngressRule): readonly IngressPath[] {
  return rule.http?.paths ?? [];
}

function pathConfig(path: IngressPath, backendKey: (service: ServiceRef) => string): PathConfig {
  const headers = Object.entries(path.headers ?? {}).map(([name, match]) => [name, match.exact] as const);
  return {
    ...(path.path === undefined || path.path === '' ? {} : { path: path.path }),
    ...(headers.length === 0 ? {} : { headers: Object.fromEntries(headers) }),
    ...(path.rewriteHost === undefined || path.rewriteHost === '' ? {} : { rewriteHost: path.rewriteHost }),
    ...(path.appendHeaders === undefined ? {} : { appendHeaders: path.appendHeaders }),
    splits: path.splits.map((split) => ({
      backend: backendKey(serviceRef(split)),
      // A single split need not say 100.
      percent: split.percent ?? (path.splits.length === 1 ? 100 : 0),
      ...(split.appendHeaders === undefined ? {} : { appendHeaders: split.appendHeaders }),
    })),
  };
}

/**
 * What tells one version of an Ingress from another to whoever probes the gateway for it. Others compute it too (Knative's
 * `ingress.ComputeHash`), from the spec as Go writes it.
 */
export function hashOf(ingress: Ingress): string {
  const { namespace = '', name = '' } = ingress.metadata;
  return createHash('sha256')
    .update(`${goJson(ingress.spec ?? {}, 'spec')}${namespace}${name}`)
    .digest('hex');
}

/** The fields of Knative's Go types in their order; `!` marks those that are written even when they are empty. */
const goFields: Readonly<Record<string, readonly string[]>> = {
  spec: ['tls', 'rules', 'httpOption'],
  tls: ['hosts', 'secretName', 'secretNamespace'],
  rules: ['hosts', 'visibility', 'http'],
  http: ['paths!'],
  paths: ['path', 'rewriteHost', 'headers', 'splits!', 'appendHeaders'],
  splits: ['serviceNamespace!', 'serviceName!', 'servicePort!', 'percent', 'appendHeaders'],
};

/** `encoding/json` of a value found under `field`; maps, which have no fields of their own here, by sorted key. */
function goJson(value: unknown, field: string): string {
  if (Array.isArray(value)) return `[${value.map((item) => goJson(item, field)).join(',')}]`;
  if (typeof value !== 'object' || value === null) return goText(JSON.stringify(value ?? null));
  const record = value as Record<string, unknown>;
  const fields =
    goFields[field] ??
    Object.keys(record)
      .toSorted()
      .map((key) => `${key}!`);
  const members = fields.flatMap((name) => {
    const key = name.replace('!', '');
    const member = record[key];
    return name.endsWith('!') || !isZero(member) ? [`${goText(JSON.stringify(key))}:${goJson(member, key)}`] : [];
  });
  return `{${members.join(',')}}`;
}

/** Go escapes what HTML would read. */
const goText = (json: string): string =>
  json.replaceAll(/[<>&\u2028\u2029]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`);

function isZero(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return value === undefined || value === null || value === '' || value === 0;
  // An empty list or map; `http`, a pointer in Go, is never empty here: its paths are required.
  return Object.keys(value).length === 0;
}
