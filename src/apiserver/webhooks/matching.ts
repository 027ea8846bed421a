import type { NamedRuleWithOperations } from '#apis/admissionregistration/v1/match-resources.ts';
import { fromLabelSelector, matchesLabels, selectorMatches } from '#apis/meta/label-selector.ts';
import type { KubeObject, LabelSelector } from '#apis/meta/object.ts';
import type { KindVersion } from '#apis/definition.ts';
import type { AdmissionRequest } from '#apiserver/admission/admission.ts';
import { lookUp, type ServerContext } from '#apiserver/context.ts';

/** What webhooks and policies share of saying what they are about. */
export interface Constraints {
  readonly rules: readonly NamedRuleWithOperations[];
  readonly exclude?: readonly NamedRuleWithOperations[];
  readonly matchPolicy?: string;
  readonly namespaceSelector?: LabelSelector;
  readonly objectSelector?: LabelSelector;
}

/** Configuration of admission itself is never put before webhooks or policies: a broken one could not be mended any more. */
const exempt = 'admissionregistration.k8s.io';

/**
 * The version of the kind at which a request is matched; undefined where it is not. With `Equivalent` (the default) a rule for
 * another version of the same kind matches too, and the object is shown at that version.
 */
export function matchedVersion(context: ServerContext, request: AdmissionRequest, constraints: Constraints): KindVersion | undefined {
  if (request.served.definition.group === exempt) return undefined;
  if (!matchesNamespace(context, request, constraints.namespaceSelector)) return undefined;
  if (!matchesObjects(request, constraints.objectSelector)) return undefined;
  const { definition, version } = request.served;
  const versions =
    constraints.matchPolicy === 'Exact' ? [version] : [version, ...definition.versions.filter((one) => one !== version && one.served)];
  if ((constraints.exclude ?? []).some((rule) => versions.some((one) => matchesRule(rule, request, one.name)))) return undefined;
  return versions.find((one) => constraints.rules.some((rule) => matchesRule(rule, request, one.name)));
}

function matchesRule(rule: NamedRuleWithOperations, request: AdmissionRequest, version: string): boolean {
  const { group, namespaced } = request.served.definition;
  const has = (list: readonly string[] | undefined, value: string) => list?.some((one) => one === '*' || one === value) ?? false;
  const scope = rule.scope ?? '*';
  return (
    has(rule.operations, request.operation.toUpperCase()) &&
    has(rule.apiGroups, group) &&
    has(rule.apiVersions, version) &&
    (scope === '*' || (scope === 'Namespaced') === (namespaced && !isNamespace(request))) &&
    (rule.resources ?? []).some((resource) => matchesResource(resource, request)) &&
    (rule.resourceNames === undefined || rule.resourceNames.length === 0 || rule.resourceNames.includes(request.name))
  );
}

/** `pods`, `pods/status`, `pods/*`, `*` (no subresources), a `*` before `/status`, and one before and behind the slash. */
function matchesResource(pattern: string, { served, subresource }: AdmissionRequest): boolean {
  const [resource = '', sub = ''] = pattern.split('/', 2);
  const { plural } = served.definition;
  return (resource === '*' || resource === plural) && (sub === subresource || (sub === '*' && pattern.includes('/')));
}

function isNamespace({ served }: AdmissionRequest): boolean {
  return served.definition.group === '' && served.definition.plural === 'namespaces';
}

/** The namespace a request is in, or is about; undefined for other cluster-scoped objects. */
export function namespaceOf(context: ServerContext, request: AdmissionRequest): KubeObject | undefined {
  if (isNamespace(request)) return request.operation === 'delete' ? request.old : request.object;
  return request.namespace === '' ? undefined : lookUp(context, '', 'namespaces', '', request.namespace);
}

function matchesNamespace(context: ServerContext, request: AdmissionRequest, selector: LabelSelector | undefined): boolean {
  if (isEmpty(selector)) return true;
  const namespace = namespaceOf(context, request);
  if (namespace === undefined) return request.namespace === '';
  return selectorMatches(selector, namespace.metadata.labels);
}

function matchesObjects({ operation, object, old }: AdmissionRequest, selector: LabelSelector | undefined): boolean {
  if (isEmpty(selector)) return true;
  const parsed = fromLabelSelector(selector);
  const states = operation === 'delete' ? [old] : [object, old];
  return states.some((state) => state !== undefined && matchesLabels(parsed, state.metadata.labels));
}

function isEmpty(selector: LabelSelector | undefined): boolean {
  return selector === undefined || (Object.keys(selector.matchLabels ?? {}).length === 0 && (selector.matchExpressions ?? []).length === 0);
}
