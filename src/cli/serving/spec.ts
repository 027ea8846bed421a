import { ifThere } from '#apis/meta/status.ts';
import { autoscalingPrefix } from '#apis/serving/validation/annotations.ts';
import { services } from '#apis/serving/v1/kinds.ts';
import type { RevisionSpec, Service, TrafficTarget } from '#apis/serving/v1/schemas.ts';
import type { Client } from '#client/client.ts';
import { UserError } from '#core/errors.ts';
import { deepClone } from '#machinery/deep.ts';
import type { DeployOptions } from '#cli/serving/deploy-options.ts';

type Annotations = Readonly<Record<string, string>>;
type Spec = NonNullable<Service['spec']>;
type Container = RevisionSpec['containers'][number];

/** Creates the service or changes what the options say of it (`annotations` of its template too); the rest of an existing one stays. */
export async function deployService(
  client: Client,
  { namespace, name, image, annotations = {} }: { namespace: string; name: string; image: string; annotations?: Annotations },
  options: DeployOptions,
): Promise<{ service: Service; created: boolean }> {
  const existing = await ifThere(client.of(services).get(namespace, name));
  const next: Service = existing === undefined ? { metadata: { name, namespace }, spec: {} } : deepClone(existing);
  const spec = (next.spec ??= {});
  const template = (spec.template ??= {});
  // A name that was brought for the last revision must not be brought again for another one.
  if (template.metadata?.name !== undefined) delete template.metadata.name;
  template.metadata = {
    ...template.metadata,
    annotations: {
      ...template.metadata?.annotations,
      ...scaleAnnotations(options),
      ...annotations,
      'client.dormouse.dev/deployed': new Date().toISOString(),
    },
  };
  const revision = (template.spec ??= {} as RevisionSpec);
  if (options.concurrency !== undefined) revision.containerConcurrency = options.concurrency;
  changeContainer(servingContainer(revision, image), image, options);
  routeTraffic(spec, options, existing);
  if (existing === undefined) return { service: await client.of(services).create(next), created: true };
  return { service: await client.of(services).update(next), created: false };
}

function scaleAnnotations({ minScale, maxScale }: DeployOptions): Annotations {
  return {
    ...(minScale === undefined ? {} : { [`${autoscalingPrefix}min-scale`]: String(minScale) }),
    ...(maxScale === undefined ? {} : { [`${autoscalingPrefix}max-scale`]: String(maxScale) }),
  };
}

/** The container that has the port, else the first; a new one when there is none. */
function servingContainer(revision: RevisionSpec, image: string): Container {
  const containers = (revision.containers ??= []);
  const found = containers.find(({ ports }) => (ports ?? []).length > 0) ?? containers[0];
  if (found !== undefined) return found;
  const made = { image } as Container;
  containers.push(made);
  return made;
}

function changeContainer(container: Container, image: string, { environment, port, limits }: DeployOptions): void {
  container.image = image;
  const env = new Map((container.env ?? []).map((one) => [one.name, one]));
  for (const [name, value] of environment) env.set(name, { name, value });
  if (env.size > 0) container.env = [...env.values()];
  if (port !== undefined) container.ports = [{ containerPort: port }] as NonNullable<Container['ports']>;
  if (Object.keys(limits).length > 0)
    container.resources = { ...container.resources, limits: { ...container.resources?.limits, ...limits } };
}

/** `--no-traffic` keeps the traffic where it is; `--tag` gives the new revision a URL of its own. */
function routeTraffic(spec: Spec, { tag, noTraffic }: DeployOptions, existing: Service | undefined): void {
  if (noTraffic) {
    if (existing === undefined)
      throw new UserError('--no-traffic needs a service that exists already', { hint: 'The first revision takes all traffic.' });
    spec.traffic = (existing.status?.traffic ?? []).map(({ revisionName = '', percent = 0, tag: own }) => ({
      revisionName,
      percent,
      latestRevision: false,
      ...(own === undefined ? {} : { tag: own }),
    }));
  }
  if (spec.traffic !== undefined) spec.traffic = spec.traffic.map((target) => pinned(target, existing));
  if (tag === undefined) return;
  const others = (spec.traffic ?? [{ latestRevision: true, percent: 100 }]).filter((target) => target.tag !== tag);
  spec.traffic = [...others, { latestRevision: true, percent: 0, tag }];
}

/** A tag that an earlier deploy gave to its revision stays there; what it names has become an older one. */
function pinned(target: TrafficTarget, existing: Service | undefined): TrafficTarget {
  if (target.latestRevision !== true || target.tag === undefined || target.percent !== 0) return target;
  const revisionName = existing?.status?.traffic?.find(({ tag }) => tag === target.tag)?.revisionName;
  return revisionName === undefined ? target : { tag: target.tag, revisionName, latestRevision: false, percent: 0 };
}
