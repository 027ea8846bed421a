import type { LimitRange, LimitRangeItem } from '#apis/core/v1/limit-range.ts';
import type { PersistentVolumeClaim } from '#apis/core/v1/persistent-volume-claim.ts';
import type { Container, Pod } from '#apis/core/v1/pod.ts';
import { forbidden } from '#apis/meta/status.ts';
import type { AdmissionPlugin, AdmissionRequest } from '#apiserver/admission/admission.ts';
import { objectKeyOf } from '#apiserver/cache/watch-cache.ts';
import type { ServerContext } from '#apiserver/context.ts';
import { amountsOf, podResources, type Amounts } from '#machinery/pod-resources.ts';
import { compareQuantities, formatQuantity, quantityToNumber, type Quantity } from '#apis/meta/quantity.ts';

const annotation = 'kubernetes.io/limit-ranger';

/** Keeps pods and claims to the LimitRanges of their namespace, and gives containers that say nothing their defaults. */
export function limitRanger(context: ServerContext): AdmissionPlugin {
  const itemsFor = ({ namespace }: AdmissionRequest): LimitRangeItem[] => {
    if (namespace === '') return [];
    const found = [...context.cache.resource('', 'limitranges').range(objectKeyOf('', 'limitranges', namespace, ''))];
    return found.flatMap(({ object }) => (object as LimitRange).spec?.limits ?? []);
  };
  return {
    name: 'LimitRanger',
    admit(request) {
      if (kindOf(request) !== 'pods') return;
      for (const item of itemsFor(request)) if (item.type === 'Container') setDefaults(request.object as Pod, item);
    },
    check(request) {
      const kind = kindOf(request);
      if (kind === undefined) return;
      const found = itemsFor(request).flatMap((item) =>
        kind === 'pods' ? podFindings(request.object as Pod, item) : claimFindings(request.object as PersistentVolumeClaim, item),
      );
      // Go's aggregate: each text once.
      const texts = [...new Set(found)];
      if (texts.length === 0) return;
      throw forbidden('', kind, request.name, texts.length === 1 ? (texts[0] ?? '') : `[${texts.join(', ')}]`);
    },
  };
}

function kindOf({ served, operation, subresource }: AdmissionRequest): 'pods' | 'persistentvolumeclaims' | undefined {
  const { group, plural } = served.definition;
  if (group !== '' || subresource !== '') return undefined;
  if (plural === 'pods' && operation === 'create') return plural;
  return plural === 'persistentvolumeclaims' && operation !== 'delete' ? plural : undefined;
}

function setDefaults({ metadata, spec }: Pod, item: LimitRangeItem): void {
  const said = [
    ...spec.containers.flatMap((container) => setContainerDefaults(container, 'container', item)),
    ...(spec.initContainers ?? []).flatMap((container) => setContainerDefaults(container, 'init container', item)),
  ];
  if (said.length === 0) return;
  metadata.annotations = { ...metadata.annotations, [annotation]: `LimitRanger plugin set: ${said.join('; ')}` };
}

function setContainerDefaults(container: Container, what: string, { default: limits = {}, defaultRequest = {} }: LimitRangeItem): string[] {
  const resources = (container.resources ??= {});
  const missing = (defaults: object, given: object = {}) =>
    Object.keys(defaults)
      .filter((name) => !(name in given))
      .sort();
  const requestNames = missing(defaultRequest, resources.requests);
  const limitNames = missing(limits, resources.limits);
  if (requestNames.length > 0) resources.requests = { ...defaultRequest, ...resources.requests };
  if (limitNames.length > 0) resources.limits = { ...limits, ...resources.limits };
  return [
    ...(requestNames.length === 0 ? [] : [`${requestNames.join(', ')} request for ${what} ${container.name}`]),
    ...(limitNames.length === 0 ? [] : [`${limitNames.join(', ')} limit for ${what} ${container.name}`]),
  ];
}

function podFindings({ spec }: Pod, item: LimitRangeItem): string[] {
  if (item.type === 'Pod') return findings(item, podResources(spec, 'requests'), podResources(spec, 'limits'));
  if (item.type !== 'Container') return [];
  return [...spec.containers, ...(spec.initContainers ?? [])].flatMap(({ resources }) =>
    findings(item, amountsOf(resources?.requests), amountsOf(resources?.limits)),
  );
}

/** Of claims only the request counts. */
function claimFindings({ spec }: PersistentVolumeClaim, item: LimitRangeItem): string[] {
  if (item.type !== 'PersistentVolumeClaim') return [];
  const requests = amountsOf(spec?.resources?.requests);
  return [
    ...each(item.min, (name, bound) => belowMinimum(item.type, name, bound, requests.get(name), undefined)),
    ...each(item.max, (name, bound) => aboveMaximumRequest(item.type, name, bound, requests.get(name))),
  ];
}

function findings({ type, min, max, maxLimitRequestRatio }: LimitRangeItem, requests: Amounts, limits: Amounts): string[] {
  return [
    ...each(min, (name, bound) => belowMinimum(type, name, bound, requests.get(name), limits.get(name))),
    ...each(max, (name, bound) => aboveMaximum(type, name, bound, requests.get(name), limits.get(name))),
    ...each(maxLimitRequestRatio, (name, bound) => aboveRatio(type, name, bound, requests.get(name), limits.get(name))),
  ];
}

function each(bounds: LimitRangeItem['min'], find: (name: string, bound: Quantity) => string | undefined): string[] {
  return [...amountsOf(bounds)].flatMap(([name, bound]) => find(name, bound) ?? []);
}

const isLess = (left: Quantity, right: Quantity): boolean => compareQuantities(left, right) < 0;

function belowMinimum(
  type: string,
  name: string,
  bound: Quantity,
  request: Quantity | undefined,
  limit: Quantity | undefined,
): string | undefined {
  const text = `minimum ${name} usage per ${type} is ${formatQuantity(bound)}`;
  if (request === undefined) return `${text}.  No request is specified`;
  if (isLess(request, bound)) return `${text}, but request is ${formatQuantity(request)}`;
  return limit !== undefined && isLess(limit, bound) ? `${text}, but limit is ${formatQuantity(limit)}` : undefined;
}

function aboveMaximum(
  type: string,
  name: string,
  bound: Quantity,
  request: Quantity | undefined,
  limit: Quantity | undefined,
): string | undefined {
  const text = `maximum ${name} usage per ${type} is ${formatQuantity(bound)}`;
  if (limit === undefined) return `${text}.  No limit is specified`;
  if (isLess(bound, limit)) return `${text}, but limit is ${formatQuantity(limit)}`;
  return request !== undefined && isLess(bound, request) ? `${text}, but request is ${formatQuantity(request)}` : undefined;
}

function aboveMaximumRequest(type: string, name: string, bound: Quantity, request: Quantity | undefined): string | undefined {
  const text = `maximum ${name} usage per ${type} is ${formatQuantity(bound)}`;
  if (request === undefined) return `${text}.  No request is specified`;
  return isLess(bound, request) ? `${text}, but request is ${formatQuantity(request)}` : undefined;
}

function aboveRatio(
  type: string,
  name: string,
  bound: Quantity,
  request: Quantity | undefined,
  limit: Quantity | undefined,
): string | undefined {
  const text = `${name} max limit to request ratio per ${type} is ${formatQuantity(bound)}`;
  if (request === undefined || request.nanos === 0n) return `${text}, but no request is specified or request is 0`;
  if (limit === undefined || limit.nanos === 0n) return `${text}, but no limit is specified or limit is 0`;
  const ratio = quantityToNumber(limit) / quantityToNumber(request);
  return ratio > quantityToNumber(bound) ? `${text}, but provided ratio is ${ratio.toFixed(6)}` : undefined;
}
