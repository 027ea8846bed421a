import { endpoints, type Endpoints } from '#apis/core/v1/endpoints.ts';
import { pods, type Pod } from '#apis/core/v1/pod.ts';
import { services, type Service } from '#apis/core/v1/service.ts';
import { endpointSlices, type EndpointSlice } from '#apis/discovery/v1/endpoint-slice.ts';
import { objectKey } from '#apis/meta/object.ts';
import { ifThere } from '#apis/meta/status.ts';
import type { Informer } from '#client/informer-types.ts';
import { done, type ControllerContext, type ControllerModule, type Enqueue, type Outcome } from '#controller/controller.ts';
import { childrenOf, enqueueOwner, trackChildren } from '#controller/owner.ts';
import { deepClone } from '#machinery/deep.ts';
import { semanticEqual } from '#machinery/semantic-equality.ts';
import { makeEndpoints } from '#cluster/endpoint-slice/legacy-endpoints.ts';
import { makeSlice, sliceContents, type SliceContent } from '#cluster/endpoint-slice/resources.ts';

const byLabel = 'label';
const bySelector = 'selector';

/** Service with a selector → EndpointSlices of the pods it selects, and the older Endpoints with the same content. */
export const endpointSliceController: ControllerModule<Service> = {
  name: 'endpointslice-controller',
  setup(context, enqueue) {
    const podInformer = context.informers.of(pods);
    const sliceInformer = context.informers.of(endpointSlices);
    trackChildren(sliceInformer, services, enqueue);
    const endpointsInformer = context.informers.of(endpoints);
    enqueueOwner(endpointsInformer, services, enqueue);
    watchPods(context, podInformer, enqueue);
    const reconciler = new EndpointSliceReconciler(context, podInformer, sliceInformer, endpointsInformer);
    return { resource: services, workers: 8, reconcile: (service) => reconciler.reconcile(service) };
  },
};

/**
 * Finds the Services of a pod (and the pods of a Service) by one label of the selector, so that neither has to be compared with
 * all of the other: the same label is taken on both sides (the first in order of keys).
 */
function watchPods(context: ControllerContext, podInformer: Informer<Pod>, enqueue: Enqueue): void {
  const serviceInformer = context.informers.of(services);
  podInformer.addIndex(byLabel, ({ metadata }) =>
    Object.entries(metadata.labels ?? {}).map(([key, value]) => `${metadata.namespace}/${key}=${value}`),
  );
  serviceInformer.addIndex(bySelector, (service) => {
    const label = indexLabel(service);
    return label === undefined ? [] : [`${service.metadata.namespace}/${label}`];
  });
  podInformer.on((event) => {
    const labelSets = event.type === 'updated' ? [event.object, event.old] : [event.object];
    const keys = new Set<string>();
    for (const { metadata } of labelSets) {
      for (const [key, value] of Object.entries(metadata.labels ?? {})) {
        for (const service of serviceInformer.byIndex(bySelector, `${metadata.namespace}/${key}=${value}`)) keys.add(objectKey(service));
      }
    }
    for (const key of keys) enqueue.key(key);
  });
}

function indexLabel(service: Service): string | undefined {
  const [first] = Object.entries(service.spec?.selector ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return first === undefined ? undefined : `${first[0]}=${first[1]}`;
}

class EndpointSliceReconciler {
  readonly #context: ControllerContext;
  readonly #pods: Informer<Pod>;
  readonly #slices: Informer<EndpointSlice>;
  readonly #endpoints: Informer<Endpoints>;

  constructor(
    context: ControllerContext,
    podInformer: Informer<Pod>,
    sliceInformer: Informer<EndpointSlice>,
    endpointsInformer: Informer<Endpoints>,
  ) {
    this.#endpoints = endpointsInformer;
    this.#context = context;
    this.#pods = podInformer;
    this.#slices = sliceInformer;
  }

  async reconcile(service: Service): Promise<Outcome> {
    const label = indexLabel(service);
    if (label === undefined || service.spec?.type === 'ExternalName' || service.metadata.deletionTimestamp !== undefined) return done;
    const selector = Object.entries(service.spec?.selector ?? {});
    const selected = this.#pods
      .byIndex(byLabel, `${service.metadata.namespace}/${label}`)
      .filter(({ metadata }) => selector.every(([key, value]) => metadata.labels?.[key] === value));
    const contents = sliceContents(service, selected);
    await Promise.all([this.#write(service, contents), this.#writeLegacy(makeEndpoints(service, contents))]);
    return done;
  }

  async #writeLegacy(wanted: Endpoints): Promise<void> {
    const client = this.#context.client.of(endpoints);
    const old = this.#endpoints.get(wanted.metadata.namespace, wanted.metadata.name ?? '');
    if (old === undefined) {
      await client.create(wanted);
      return;
    }
    const { labels = {}, ownerReferences = [] } = wanted.metadata;
    const { subsets: _, ...rest } = old;
    const subsets = wanted.subsets === undefined ? {} : { subsets: wanted.subsets };
    const next = { ...rest, metadata: { ...old.metadata, labels, ownerReferences }, ...subsets };
    if (!semanticEqual(next, old)) await client.update(next);
  }

  /** Existing slices are reused one by one, so that their names stay; what is too many goes. */
  async #write(service: Service, contents: readonly SliceContent[]): Promise<void> {
    const existing = childrenOf(this.#slices, service).toSorted((a, b) => ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1));
    const client = this.#context.client.of(endpointSlices);
    await Promise.all(
      contents.map(async (content, index) => {
        const wanted = makeSlice(service, content);
        const old = existing[index];
        if (old === undefined) return client.create(wanted);
        const next = deepClone(old);
        next.metadata.labels = wanted.metadata.labels ?? {};
        next.ports = wanted.ports ?? [];
        next.endpoints = wanted.endpoints;
        return semanticEqual(next, old) ? old : client.update(next);
      }),
    );
    await Promise.all(
      existing.slice(contents.length).map(({ metadata }) => ifThere(client.delete(metadata.namespace, metadata.name ?? ''))),
    );
  }
}
