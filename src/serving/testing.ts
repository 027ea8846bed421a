import { apiVersionOf, type Resource } from '#apis/definition.ts';
import type { KubeObject, ObjectMeta } from '#apis/meta/object.ts';
import type { KnativeCondition, KnativeStatus } from '#apis/knative/status.ts';
import { labels } from '#apis/serving/names.ts';
import { configurations, revisions, routes, services } from '#apis/serving/v1/kinds.ts';
import type { Configuration, Revision, Route, Service } from '#apis/serving/v1/schemas.ts';
import { controllerReference } from '#controller/owner.ts';

/** Builders of the objects Serving's controller tests start from; everything lies in the namespace `n`. */

type Change<T extends KubeObject> = Partial<Omit<T, 'metadata'>> & { readonly metadata?: Partial<ObjectMeta> };

/** An object with a uid of its own (`uid-<kind>-<name>`), first generation. */
export function make<T extends KubeObject>(resource: Resource<T>, name: string, change: Change<T> = {}): T {
  const { metadata, ...rest } = change;
  const own = { name, namespace: 'n', uid: `uid-${resource.kind.toLowerCase()}-${name}`, generation: 1, ...metadata };
  return { apiVersion: apiVersionOf(resource), kind: resource.kind, metadata: own, ...rest } as unknown as T;
}

/** The object as a child that `owner` controls. */
export function ownedBy<T extends KubeObject>(object: T, owner: KubeObject, resource: Resource): T {
  return { ...object, metadata: { ...object.metadata, ownerReferences: [controllerReference(owner, resource)] } };
}

/** A status of the first generation with conditions written as `Type: 'True'` or `Type: 'False Reason: message'`. */
export function status(conditions: Readonly<Record<string, string>>, more: object = {}): KnativeStatus {
  return { observedGeneration: 1, conditions: Object.entries(conditions).map(([type, text]) => condition(type, text)), ...more };
}

function condition(type: string, text: string): KnativeCondition {
  const [, state = '', reason, message] = /^(\w+)(?: (\w*)(?:: (.*))?)?$/s.exec(text) ?? [];
  return {
    type,
    status: state,
    lastTransitionTime: '2026-01-01T00:00:00Z',
    ...(reason === undefined || reason === '' ? {} : { reason }),
    ...(message === undefined ? {} : { message }),
  };
}

/** The conditions of a status in the notation of `status`. */
export function conditionsOf(of: unknown): Record<string, string> {
  const { conditions = [] } = (of ?? {}) as KnativeStatus;
  return Object.fromEntries(conditions.map((one) => [one.type, textOf(one)]));
}

function textOf({ status: state, reason = '', message = '' }: KnativeCondition): string {
  return `${state}${reason === '' ? '' : ` ${reason}`}${message === '' ? '' : `: ${message}`}`;
}

const template = { spec: { containers: [{ name: 'user-container', image: 'example.com/app' }] } };

export const aService = (change: Change<Service> = {}): Service =>
  make(services, 's', { spec: { template, traffic: [{ latestRevision: true, percent: 100 }] }, ...change });

export const aConfiguration = (change: Change<Configuration> = {}): Configuration =>
  make(configurations, 's', { spec: { template }, ...change });

export const aRoute = (change: Change<Route> = {}): Route =>
  make(routes, 's', { spec: { traffic: [{ configurationName: 's', latestRevision: true, percent: 100 }] }, ...change });

/** A revision of generation `generation` that `configuration` made. */
export function aRevision(configuration: Configuration, generation: number, change: Change<Revision> = {}): Revision {
  const revision = make(revisions, `${configuration.metadata.name}-0000${generation}`, { spec: template.spec, ...change });
  const own = { [labels.configuration]: configuration.metadata.name ?? '', [labels.configurationGeneration]: String(generation) };
  revision.metadata.labels = { ...own, ...revision.metadata.labels };
  return ownedBy(revision, configuration, configurations);
}
