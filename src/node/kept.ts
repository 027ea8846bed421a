import type { Resource } from '#apis/definition.ts';
import type { KubeObject } from '#apis/meta/object.ts';

const serviceNameLabel = 'kubernetes.io/service-name';

/**
 * What the node's caches keep of an object. Services and their slices are followed for names and addresses, and a platform has thousands of
 * them: of their metadata only what tells them apart stays. Pods and nodes stay whole.
 */
export function keptByNode<T extends KubeObject>(object: T, { kind }: Resource<T>): T {
  if (kind !== 'Service' && kind !== 'EndpointSlice') return object;
  const { name, namespace, uid, resourceVersion, labels } = object.metadata;
  const service = labels?.[serviceNameLabel];
  const metadata = { name, namespace, uid, resourceVersion, ...(service === undefined ? {} : { labels: { [serviceNameLabel]: service } }) };
  return { ...object, metadata } as T;
}
