import { services as coreServices, type Service as CoreService } from '#apis/core/v1/service.ts';
import { endpointSlices, type EndpointSlice } from '#apis/discovery/v1/endpoint-slice.ts';
import { serverlessServices, type ServerlessService } from '#apis/networking/v1alpha1/serverless-service.ts';
import { activatorService } from '#apis/dormouse/names.ts';
import { labels, privateServiceName } from '#apis/serving/names.ts';
import type { Informer } from '#client/informer-types.ts';
import { timestamp } from '#controller/conditions.ts';
import { done, requeue, type ControllerContext, type ControllerModule, type Outcome } from '#controller/controller.ts';
import { enqueueOwner } from '#controller/owner.ts';
import { serverlessServiceConditions } from '#serving/conditions.ts';
import { ensureChild, notOwnedRetryMs, NotOwnedError } from '#controller/children.ts';
import {
  adoptService,
  adoptSlice,
  makePrivateService,
  makePublicService,
  makePublicSlice,
  type SliceContent,
} from '#serving/serverless-service/resources.ts';

const byService = 'service';

/**
 * ServerlessService → the revision's two Services. The private one selects its pods. The public one is what other pods know the revision
 * by: its endpoints are the pods (Serve), or the gateway, which is the activator (Proxy) and wakes the revision when it is called.
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
      else if (serviceKeyOf(object) === activatorService) enqueue.all();
    });
    const reconciler = new ServerlessServiceReconciler(context, serviceInformer, slices);
    return {
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
    const ready = this.#ready(`${object.metadata.namespace}/${privateServiceName(object.metadata.name ?? '')}`);
    try {
      const [own, hidden] = await Promise.all([
        ensureChild(this.#context.client, this.#services, object, makePublicService(object), adoptService),
        ensureChild(this.#context.client, this.#services, object, makePrivateService(object), adoptService),
        this.#publish(object, ready),
      ]);
      status.serviceName = own.object.metadata.name ?? '';
      status.privateServiceName = hidden.object.metadata.name ?? '';
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
    if (ready.length > 0) manager.markTrue('EndpointsPopulated');
    else manager.markUnknown('EndpointsPopulated', 'NoHealthyBackends', 'Endpoints have not yet been populated');
    return done;
  }

  /** Writes the public Service's slice: without pods the gateway is forced, without a gateway on the pod network the pods are. */
  async #publish(object: ServerlessService, ready: readonly SliceContent[]): Promise<void> {
    const activators = this.#ready(activatorService);
    const direct = activators.length === 0 || (object.spec?.mode === 'Serve' && ready.length > 0);
    await ensureChild(this.#context.client, this.#slices, object, makePublicSlice(object, direct ? ready : activators), adoptSlice);
  }

  /** The ready endpoints of a Service, with the ports they have. */
  #ready(service: string): SliceContent[] {
    return this.#slices
      .byIndex(byService, service)
      .map(readyContent)
      .filter(({ endpoints }) => endpoints.length > 0);
  }
}

/** Kubernetes' own controller writes `null` for a slice without endpoints or ports. */
type WrittenSlice = { readonly [K in 'ports' | 'endpoints']?: EndpointSlice[K] | null };

function readyContent({ ports, endpoints }: WrittenSlice): SliceContent {
  return { ports: ports ?? [], endpoints: (endpoints ?? []).filter(({ conditions }) => conditions?.ready !== false) };
}
