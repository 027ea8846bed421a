import { isReason } from '#apis/meta/status.ts';
import { services } from '#apis/serving/v1/kinds.ts';
import type { RevisionSpec, Service } from '#apis/serving/v1/schemas.ts';
import type { Client } from '#client/client.ts';
import { UserError } from '#core/errors.ts';
import { deepClone } from '#machinery/deep.ts';
import { flagOption, listOption, textOption, type Invocation } from '#cli/command.ts';

type Options = Pick<Invocation, 'options'>;

/** Creates the service or changes what the options say of it (`annotations` of its template too); the rest of an existing one stays. */
export async function deployService(
  client: Client,
  namespace: string,
  name: string,
  image: string,
  invocation: Options,
  annotations: Readonly<Record<string, string>> = {},
): Promise<{ service: Service; created: boolean }> {
  const existing = await existingService(client, namespace, name);
  const next: Service = existing === undefined ? { metadata: { name, namespace }, spec: {} } : deepClone(existing);
  applyOptions(next, image, invocation, existing);
  const template = (next.spec ??= {}).template;
  if (template !== undefined)
    template.metadata = { ...template.metadata, annotations: { ...template.metadata?.annotations, ...annotations } };
  if (existing === undefined) return { service: await client.of(services).create(next), created: true };
  return { service: await client.of(services).update(next), created: false };
}

export async function existingService(client: Client, namespace: string, name: string): Promise<Service | undefined> {
  try {
    return await client.of(services).get(namespace, name);
  } catch (error) {
    if (isReason(error, 'NotFound')) return undefined;
    throw error;
  }
}

function applyOptions(service: Service, image: string, invocation: Options, existing: Service | undefined): void {
  const spec = (service.spec ??= {});
  const template = (spec.template ??= {});
  // A name that was brought for the last revision must not be brought again for another one.
  if (template.metadata?.name !== undefined) delete template.metadata.name;
  const revision = (template.spec ??= {} as RevisionSpec);
  const containers = (revision.containers ??= []) as RevisionSpec['containers'];
  const container =
    containers.find(({ ports }) => (ports ?? []).length > 0) ??
    containers[0] ??
    (containers[0] = { name: '', image } as (typeof containers)[number]);
  container.image = image;
  if (container.name === '') delete (container as { name?: string }).name;
  const env = new Map((container.env ?? []).map((one) => [one.name, one]));
  for (const text of listOption(invocation, 'env')) {
    const at = text.indexOf('=');
    if (at <= 0) throw new UserError(`--env: ${JSON.stringify(text)} is not KEY=VALUE`);
    env.set(text.slice(0, at), { name: text.slice(0, at), value: text.slice(at + 1) });
  }
  if (env.size > 0) container.env = [...env.values()];
  const port = numberOption(invocation, 'port');
  if (port !== undefined) container.ports = [{ containerPort: port }] as NonNullable<typeof container.ports>;
  const limits = Object.fromEntries(
    (['cpu', 'memory'] as const).flatMap((one) =>
      textOption(invocation, one) === undefined ? [] : [[one, textOption(invocation, one) ?? '']],
    ),
  );
  if (Object.keys(limits).length > 0)
    container.resources = { ...container.resources, limits: { ...container.resources?.limits, ...limits } };
  const concurrency = numberOption(invocation, 'concurrency');
  if (concurrency !== undefined) revision.containerConcurrency = concurrency;
  const scale = { 'min-scale': numberOption(invocation, 'min'), 'max-scale': numberOption(invocation, 'max') };
  const notes = Object.entries(scale).flatMap(([key, value]) =>
    value === undefined ? [] : [[`autoscaling.knative.dev/${key}`, String(value)]],
  );
  template.metadata = {
    ...template.metadata,
    annotations: {
      ...template.metadata?.annotations,
      ...Object.fromEntries(notes),
      'client.dormouse.dev/deployed': new Date().toISOString(),
    },
  };
  routeTraffic(spec, invocation, existing);
}

/** `--no-traffic` keeps the traffic where it is; `--tag` gives the new revision a URL of its own. */
function routeTraffic(spec: NonNullable<Service['spec']>, invocation: Options, existing: Service | undefined): void {
  const tag = textOption(invocation, 'tag');
  if (flagOption(invocation, 'no-traffic')) {
    if (existing === undefined)
      throw new UserError('--no-traffic needs a service that exists already', { hint: 'The first revision takes all traffic.' });
    spec.traffic = (existing.status?.traffic ?? []).map(({ revisionName = '', percent = 0, tag: own }) => ({
      revisionName,
      percent,
      latestRevision: false,
      ...(own === undefined ? {} : { tag: own }),
    }));
  }
  if (tag === undefined) return;
  const others = (spec.traffic ?? [{ latestRevision: true, percent: 100 }]).filter((target) => target.tag !== tag);
  spec.traffic = [...others, { latestRevision: true, percent: 0, tag }];
}

function numberOption(invocation: Options, name: string): number | undefined {
  const text = textOption(invocation, name);
  if (text === undefined) return undefined;
  if (!/^\d+$/.test(text)) throw new UserError(`--${name}: ${JSON.stringify(text)} is not a whole number`);
  return Number(text);
}
