import { conditionOf } from '#apis/knative/status.ts';
import { humanDuration } from '#apis/meta/human-duration.ts';
import { isReason, StatusError } from '#apis/meta/status.ts';
import { revisions, services } from '#apis/serving/v1/kinds.ts';
import type { Service } from '#apis/serving/v1/schemas.ts';
import { labels } from '#apis/serving/names.ts';
import { UserError } from '#core/errors.ts';
import { connect } from '#cli/api.ts';
import { flagOption, textOption, type Invocation } from '#cli/command.ts';
import { printData, table } from '#cli/output.ts';
import { waitRouted } from '#cli/serving/progress.ts';

/** `dormouse services [-A]`. */
export async function listServices(invocation: Invocation): Promise<number> {
  const { client, namespace } = await connect(invocation);
  const { items } = await client.of(services).list(flagOption(invocation, 'all-namespaces') ? {} : { namespace });
  const rows = items.map((service) => [
    service.metadata.namespace ?? '',
    service.metadata.name ?? '',
    service.status?.url ?? '',
    service.status?.latestReadyRevisionName ?? '',
    readiness(conditionOf(service, 'Ready')),
    age(service.metadata.creationTimestamp),
  ]);
  return print(invocation, ['NAMESPACE', 'NAME', 'URL', 'REVISION', 'READY', 'AGE'], rows, items);
}

/** `dormouse revisions [SERVICE]`. */
export async function listRevisions(invocation: Invocation): Promise<number> {
  const { client, namespace } = await connect(invocation);
  const [service] = invocation.positionals;
  // Nothing to list is one thing, a name that was mistyped another.
  if (service !== undefined) await client.of(services).get(namespace, service);
  const { items } = await client
    .of(revisions)
    .list({ namespace, labelSelector: service === undefined ? undefined : `${labels.service}=${service}` });
  const parents = await client.of(services).list({ namespace });
  const share = (name: string) => {
    const percents = parents.items.flatMap(({ status }) => status?.traffic ?? []).filter(({ revisionName }) => revisionName === name);
    const sum = percents.reduce((total, { percent = 0 }) => total + percent, 0);
    return percents.length === 0 ? '-' : `${sum}%`;
  };
  const rows = items
    .toSorted((a, b) => ((a.metadata.creationTimestamp ?? '') < (b.metadata.creationTimestamp ?? '') ? 1 : -1))
    .map((revision) => [
      revision.metadata.name ?? '',
      revision.metadata.labels?.[labels.service] ?? '-',
      share(revision.metadata.name ?? ''),
      readiness(conditionOf(revision, 'Ready')),
      String(revision.status?.actualReplicas ?? 0),
      age(revision.metadata.creationTimestamp),
    ]);
  return print(invocation, ['NAME', 'SERVICE', 'TRAFFIC', 'READY', 'REPLICAS', 'AGE'], rows, items);
}

/** `dormouse delete SERVICE…`. */
export async function deleteServices(invocation: Invocation): Promise<number> {
  const { client, namespace } = await connect(invocation);
  const missing: StatusError[] = [];
  for (const name of invocation.positionals) {
    try {
      await client.of(services).delete(namespace, name);
      invocation.stdout.write(`Deleted ${name}.\n`);
    } catch (error) {
      if (!isReason(error, 'NotFound')) throw error;
      missing.push(error);
    }
  }
  // Names that are not there do not keep those that are.
  const [first] = missing;
  if (first === undefined) return 0;
  throw new StatusError('NotFound', missing.map(({ message }) => message).join('; '), { details: first.details ?? {} });
}

/** `dormouse traffic SERVICE REVISION=PERCENT…` (`@latest` follows the newest ready revision). */
export async function setTraffic(invocation: Invocation): Promise<number> {
  const { client, namespace } = await connect(invocation);
  const [name = '', ...shares] = invocation.positionals;
  const service = await client.of(services).get(namespace, name);
  if (shares.length === 0) return printTraffic(invocation, service);
  const traffic = shares.map((share) => {
    const match = /^([^=]+)=(\d{1,3})%?$/.exec(share);
    if (match === null)
      throw new UserError(`${JSON.stringify(share)} is not REVISION=PERCENT`, {
        hint: `For example: dormouse traffic ${name} ${name}-00001=90 @latest=10`,
      });
    const [, revisionName = '', percent = '0'] = match;
    return revisionName === '@latest'
      ? { latestRevision: true, percent: Number(percent) }
      : { revisionName, latestRevision: false, percent: Number(percent) };
  });
  // A target that is not there would be taken into the spec, and fail every later deploy.
  for (const { revisionName } of traffic) if (revisionName !== undefined) await client.of(revisions).get(namespace, revisionName);
  const tagged = (service.spec?.traffic ?? []).filter(({ tag = '', percent = 0 }) => tag !== '' && percent === 0);
  await client.of(services).patch(namespace, name, { type: 'merge', body: { spec: { traffic: [...traffic, ...tagged] } } });
  return printTraffic(invocation, await waitRouted(client, { namespace, name, timeoutMs: 60_000, signal: invocation.signal }));
}

function printTraffic(invocation: Invocation, { status }: Service): Promise<number> | number {
  const traffic = status?.traffic ?? [];
  const rows = traffic.map(({ revisionName = '', percent = 0, tag = '', url = '' }) => [revisionName, `${percent}%`, tag, url]);
  return print(invocation, ['REVISION', 'PERCENT', 'TAG', 'URL'], rows, traffic);
}

function print(
  invocation: Invocation,
  header: readonly string[],
  rows: readonly (readonly string[])[],
  items: readonly unknown[],
): Promise<number> | number {
  const form = textOption(invocation, 'output') ?? 'table';
  if (form !== 'table') return printData(invocation.stdout, form, items).then(() => 0);
  invocation.stdout.write(
    rows.length === 0 ? 'None yet. Deploy one: dormouse deploy --image IMAGE, or --source DIR.\n' : `${table(header, rows)}\n`,
  );
  return 0;
}

function readiness(condition: { status: string; reason?: string } | undefined): string {
  if (condition === undefined) return 'Unknown';
  return condition.status === 'True'
    ? 'True'
    : [condition.status, ...((condition.reason ?? '') === '' ? [] : [`(${condition.reason})`])].join(' ');
}

function age(created: string | undefined): string {
  return created === undefined ? '-' : humanDuration(Date.now() - Date.parse(created));
}
