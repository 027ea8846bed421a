import { dialAnnotation } from '#apis/dormouse/names.ts';
import { parseDial, type DialTarget } from '#apis/dormouse/dial.ts';
import type { Pod } from '#apis/core/v1/pod.ts';
import type { Service } from '#apis/core/v1/service.ts';
import type { EndpointSlice } from '#apis/discovery/v1/endpoint-slice.ts';
import type { WatchCache } from '#apiserver/cache/watch-cache.ts';
import { objectKeyOf, resourcePrefix } from '#apiserver/cache/watch-cache.ts';

/** Where a webhook is: `url` as it is spoken of, and how to get there. */
export interface Destination {
  readonly url: URL;
  /** Absent: what the URL names. */
  readonly dial?: DialTarget;
  /** PEM; absent: the machine's own authorities. */
  readonly authority?: string;
}

/** As the client configurations of admission webhooks and of conversions have it. */
export interface WebhookClient {
  readonly url?: string;
  readonly service?: { readonly namespace: string; readonly name: string; readonly path?: string; readonly port?: number };
  readonly caBundle?: string;
}

const serviceNameLabel = 'kubernetes.io/service-name';

/**
 * The destination of a webhook. One behind a Service is dialled at a ready endpoint of it, under the Service's name. Throws an Error
 * that says what is missing.
 */
export function destinationOf(cache: WatchCache, { url, service, caBundle }: WebhookClient): Destination {
  const authority = caBundle === undefined || caBundle === '' ? {} : { authority: Buffer.from(caBundle, 'base64').toString() };
  if (service === undefined) return { url: new URL(url ?? ''), ...authority };
  const { namespace, name, path = '', port = 443 } = service;
  const address = new URL(`https://${name}.${namespace}.svc:${port}`);
  address.pathname = path;
  return { url: address, dial: endpointOf(cache, namespace, name, port), ...authority };
}

function endpointOf(cache: WatchCache, namespace: string, name: string, port: number): DialTarget {
  const found = cache.resource('', 'services').get(objectKeyOf('', 'services', namespace, name))?.object as Service | undefined;
  if (found === undefined) throw new Error(`service ${JSON.stringify(name)} not found`);
  if (found.spec?.type === 'ExternalName') return { host: found.spec.externalName ?? '', port };
  const servicePort = (found.spec?.ports ?? []).find((one) => one.port === port);
  if (servicePort === undefined) throw new Error(`no service port ${port} found for service ${JSON.stringify(name)}`);
  for (const slice of slicesOf(cache, namespace, name)) {
    const target = (slice.ports ?? []).find((one) => (one.name ?? '') === (servicePort.name ?? ''))?.port;
    if (target === undefined) continue;
    for (const { addresses, conditions, targetRef } of slice.endpoints ?? []) {
      const [address] = addresses;
      if (address === undefined || conditions?.ready === false) continue;
      const pod = targetRef?.kind === 'Pod' ? podOf(cache, namespace, targetRef.name ?? '') : undefined;
      return parseDial(pod?.metadata.annotations?.[dialAnnotation], target) ?? { host: address, port: target };
    }
  }
  throw new Error(`no endpoints available for service ${JSON.stringify(name)}`);
}

function* slicesOf(cache: WatchCache, namespace: string, service: string): Iterable<EndpointSlice> {
  const group = 'discovery.k8s.io';
  for (const { object } of cache.resource(group, 'endpointslices').range(`${resourcePrefix(group, 'endpointslices')}${namespace}/`)) {
    if (object.metadata.labels?.[serviceNameLabel] === service) yield object as EndpointSlice;
  }
}

function podOf(cache: WatchCache, namespace: string, name: string): Pod | undefined {
  return cache.resource('', 'pods').get(objectKeyOf('', 'pods', namespace, name))?.object as Pod | undefined;
}
