import { services as coreServices, type Service as CoreService } from '#apis/core/v1/service.ts';
import { endpointSlices, type EndpointSlice } from '#apis/discovery/v1/endpoint-slice.ts';
import { serverlessServices, type ServerlessService } from '#apis/networking/v1alpha1/serverless-service.ts';
import { labels, privateServiceName } from '#apis/serving/names.ts';
import type { Informer } from '#client/informer-types.ts';
import { timestamp } from '#controller/conditions.ts';
import { done, requeue, type ControllerContext, type ControllerModule, type Outcome } from '#controller/controller.ts';
import { controllerReference, enqueueOwner } from '#controller/owner.ts';
import { serverlessServiceConditions } from '#serving/conditions.ts';
import { ensureChild, notOwnedRetryMs, NotOwnedError } from '#controller/children.ts';

const byService = 'service';

/**
 * ServerlessService → the revision's two Services. Both select the revision's pods: the gateway is activator and load balancer
 * in one, so there is nothing to switch between; Serve and Proxy show in the status as Knative's users know them.
 */
export const serverlessServiceController: ControllerModule<ServerlessService> = {
  name: 'serverlessservice-controller',
  setup(context, enqueue) {
    const serviceInformer = context.informers.of(coreServices);
    const slices = context.informers.of(endpointSlices);
    slices.addIndex(byService, (slice) => [serviceKeyOf(slice)]);
    enqueueOwner(serviceInformer, serverlessServices, enqueue);
    slices.on(({ object }) => {
      const owner = object.metadata.labels?.[labels.serverlessService];
      if (owner !== undefined) enqueue.key(`${object.metadata.namespace}/${owner}`);
    });
    const reconciler = new ServerlessServiceReconciler(context, serviceInformer, slices);
    return {
      name: 'serverlessservice-controller',
      resource: serverlessServices,
      skipsTerminating: true,
      workers: 8,
      reconcile: (object) => reconciler.reconcile(object),
    };
  },
};

function serviceKeyOf(slice: EndpointSlice): string {
  return `${slice.metadata.namespace}/${slice.metadata.labels?.['kubernetes.io/service-name'] ?? ''}`;
}

class ServerlessServiceReconciler {
  readonly #context: ControllerContext;
  readonly #services: Informer<CoreService>;
  readonly #slices: Informer<EndpointSlice>;

  constructor(context: ControllerContext, serviceInformer: Informer<CoreService>, slices: Informer<EndpointSlice>) {
    this.#context = context;
    this.#services = serviceInformer;
    this.#slices = slices;
  }

  async reconcile(object: ServerlessService): Promise<Outcome> {
    const status = (object.status ??= {});
    const manager = serverlessServiceConditions.manage(status, timestamp(this.#context.clock));
    manager.initialize();
    if (object.metadata.generation !== undefined) status.observedGeneration = object.metadata.generation;
    try {
      const [own, hidden] = await Promise.all(
        [makePublicService(object), makePrivateService(object)].map((desired) =>
          ensureChild(this.#context.client, this.#services, object, desired, adopt),
        ),
      );
      status.serviceName = own?.object.metadata.name ?? '';
      status.privateServiceName = hidden?.object.metadata.name ?? '';
    } catch (error) {
      if (!(error instanceof NotOwnedError)) throw error;
      manager.markFalse(
        'EndpointsPopulated',
        'NotOwned',
        `There is an existing Service ${JSON.stringify(error.childName)} that we do not own.`,
      );
      return requeue(notOwnedRetryMs);
    }
    manager.markTrue('ActivatorEndpointsPopulated');
    if (this.#hasReadyEndpoint(object)) manager.markTrue('EndpointsPopulated');
    else manager.markUnknown('EndpointsPopulated', 'NoHealthyBackends', 'Endpoints have not yet been populated');
    return done;
  }

  #hasReadyEndpoint({ metadata }: ServerlessService): boolean {
    const slices = this.#slices.byIndex(byService, `${metadata.namespace}/${metadata.name}`);
    return slices.some(({ endpoints }) => endpoints.some(({ conditions }) => conditions?.ready !== false));
  }
}

/** The Service named like the revision: what a route's Ingress points at. */
export function makePublicService(object: ServerlessService): CoreService {
  return makeService(object, object.metadata.name ?? '', 'Public');
}

/** The Service that always means the revision's own pods. */
export function makePrivateService(object: ServerlessService): CoreService {
  return makeService(object, privateServiceName(object.metadata.name ?? ''), 'Private');
}

function makeService(object: ServerlessService, name: string, type: 'Public' | 'Private'): CoreService {
  const { namespace = '', labels: own = {} } = object.metadata;
  const h2c = object.spec?.protocolType === 'h2c';
  const port = h2c ? { name: 'http2', port: 81 } : { name: 'http', port: 80 };
  return {
    metadata: {
      name,
      namespace,
      labels: { ...own, [labels.serverlessService]: object.metadata.name ?? '', [labels.serviceType]: type },
      annotations: { ...object.metadata.annotations },
      ownerReferences: [controllerReference(object, serverlessServices)],
    },
    spec: {
      // Nobody calls a revision by its cluster IP: names resolve to the pods, and no address is spent on it.
      clusterIP: 'None',
      selector: { [labels.revisionUid]: own[labels.revisionUid] ?? '' },
      ports: [{ ...port, protocol: 'TCP', targetPort: 'user-port' }],
    },
  };
}

function adopt(existing: CoreService, desired: CoreService): void {
  existing.metadata.labels = desired.metadata.labels ?? {};
  const { selector, ports } = desired.spec ?? {};
  existing.spec = { ...existing.spec, ...(selector === undefined ? {} : { selector }), ...(ports === undefined ? {} : { ports }) };
}
