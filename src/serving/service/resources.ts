import { annotations, labels } from '#apis/serving/names.ts';
import { services } from '#apis/serving/v1/kinds.ts';
import type { Configuration, Route, Service, TrafficTarget } from '#apis/serving/v1/schemas.ts';
import { controllerReference } from '#controller/owner.ts';
import { pick } from '#controller/children.ts';

/** The Configuration a Service asks for; same name. `existing` keeps the routes that the labeler noted on it. */
export function makeConfiguration(service: Service, existing?: Configuration): Configuration {
  const routes = existing?.metadata.annotations?.[annotations.routes];
  return {
    metadata: {
      ...names(service),
      labels: {
        ...service.metadata.labels,
        [labels.service]: service.metadata.name ?? '',
        [labels.serviceUid]: service.metadata.uid ?? '',
      },
      annotations: {
        ...pick(service.metadata.annotations, (key) => key !== annotations.lastApplied && key !== annotations.rolloutDuration),
        ...(routes === undefined ? {} : { [annotations.routes]: routes }),
      },
    },
    spec: { template: service.spec?.template ?? {} },
  };
}

/** The Route a Service asks for; same name. Targets without a revision follow the Service's own Configuration. */
export function makeRoute(service: Service): Route {
  return {
    metadata: {
      ...names(service),
      labels: { ...service.metadata.labels, [labels.service]: service.metadata.name ?? '' },
      annotations: pick(service.metadata.annotations, (key) => key !== annotations.lastApplied),
    },
    spec: { traffic: (service.spec?.traffic ?? []).map((target) => routeTarget(target, service.metadata.name ?? '')) },
  };
}

function routeTarget(target: TrafficTarget, configurationName: string): TrafficTarget {
  return (target.revisionName ?? '') === '' ? { ...target, configurationName } : target;
}

function names(service: Service): { name: string; namespace: string; ownerReferences: ReturnType<typeof controllerReference>[] } {
  const { name = '', namespace = '' } = service.metadata;
  return { name, namespace, ownerReferences: [controllerReference(service, services)] };
}
