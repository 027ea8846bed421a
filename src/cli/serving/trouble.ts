import type { ContainerStatus } from '#apis/core/v1/pod-status.ts';
import { events, type Event } from '#apis/core/v1/event.ts';
import { pods, type Pod } from '#apis/core/v1/pod.ts';
import { conditionOf } from '#apis/knative/status.ts';
import { labels } from '#apis/serving/names.ts';
import type { Revision } from '#apis/serving/v1/schemas.ts';
import type { Client } from '#client/client.ts';
import { UserError } from '#core/errors.ts';

/** How long a program may start in silence before it is said what it is waited for. */
const patienceMs = 5000;
const silentFailure = 'Container failed with:';
const ordinary = new Set(['ContainerCreating', 'PodInitializing']);

interface Failed {
  readonly namespace: string;
  readonly name: string;
  readonly revision: Revision | undefined;
}

/** What a pod that is not ready yet struggles with, a line each; empty while it just starts. */
export async function troubleOf(client: Client, pod: Pod): Promise<readonly string[]> {
  const early = await beforeStart(client, pod);
  if (early !== undefined) return [early];
  const unready = (pod.status?.containerStatuses ?? []).filter(({ ready }) => ready !== true);
  const lines = unready.flatMap((status) => containerTrouble(status));
  const runsFor = Math.min(...unready.map(({ state }) => Date.now() - Date.parse(state?.running?.startedAt ?? 'never')));
  if (unready.length === 0 || !(runsFor > patienceMs)) return lines;
  const probe = (await lastEvent(client, pod, 'reason=Unhealthy'))?.message;
  const port = pod.spec?.containers?.[0]?.ports?.[0]?.containerPort ?? 8080;
  return [
    ...lines,
    probe === undefined ? 'the program runs and does not answer yet' : `the program runs and does not answer yet: ${probe}`,
    `it must listen on all addresses at $PORT, here ${port}; another port is named by --port (Ctrl-C stops the waiting, not the service)`,
  ];
}

/** What keeps a pod from starting that no container tells: no node has room, or a volume is not there. */
async function beforeStart(client: Client, { metadata, status }: Pod): Promise<string | undefined> {
  const unplaced = status?.conditions?.find((condition) => condition.type === 'PodScheduled' && condition.status === 'False');
  if (unplaced !== undefined) return `${unplaced.reason}: ${unplaced.message}`;
  const starting = (status?.containerStatuses ?? []).some(({ state }) => ordinary.has(state?.waiting?.reason ?? ''));
  if (!starting || Date.now() - Date.parse(metadata.creationTimestamp ?? '') < patienceMs) return undefined;
  const warning = await lastEvent(client, { metadata }, 'type=Warning');
  return warning === undefined ? undefined : `${warning.reason}: ${warning.message}`;
}

function containerTrouble({ state, restartCount, lastState }: ContainerStatus): readonly string[] {
  const { reason = '', message = '' } = state?.waiting ?? {};
  if (reason !== '' && !ordinary.has(reason)) return [message === '' ? reason : `${reason}: ${message}`];
  const code = lastState?.terminated?.exitCode;
  return restartCount === 0 || code === undefined ? [] : [`the program ended with exit code ${code} and was started again`];
}

async function lastEvent(client: Client, { metadata }: Pick<Pod, 'metadata'>, selector: string): Promise<Event | undefined> {
  const fieldSelector = `involvedObject.uid=${metadata.uid},${selector}`;
  const { items } = await client.of(events).list({ namespace: metadata.namespace, fieldSelector });
  return items.toSorted((a, b) => (a.lastTimestamp ?? '').localeCompare(b.lastTimestamp ?? '')).at(-1);
}

/** A service that failed: its reason, the last log lines unless the reason holds them, and what to do next. */
export async function failure(client: Client, { message, ...failed }: Failed & { readonly message: string }): Promise<UserError> {
  const said = failureReason(failed.revision, message).trimEnd();
  // A program that is killed says nothing itself.
  const reason = said === silentFailure ? `${said} ${await endOf(client, failed.revision)}` : said;
  const log = said.startsWith(silentFailure) ? '' : await logOf(client, failed.revision);
  return new UserError(`service ${failed.name} failed: ${reason}`, { hint: `${log}Next: ${nextStep(reason, failed)}` });
}

/** How the container of a revision ended: `exit code 137 (OOMKilled)`. */
async function endOf(client: Client, revision: Revision | undefined): Promise<string> {
  const pods = revision === undefined ? [] : await podsOf(client, revision);
  const ends = pods.flatMap(({ status }) => status?.containerStatuses ?? []);
  const end = ends.map(({ state, lastState }) => state?.terminated ?? lastState?.terminated).find((one) => one !== undefined);
  if (end === undefined) return 'no word';
  return `exit code ${end.exitCode}${(end.reason ?? 'Error') === 'Error' ? '' : ` (${end.reason})`}`;
}

/** A service that neither became ready nor failed in time. */
export async function unfinished(client: Client, failed: Failed & { readonly waitedMs: number }): Promise<UserError> {
  const { name, namespace, revision, waitedMs } = failed;
  const [pod] = revision === undefined ? [] : await podsOf(client, revision);
  const trouble = pod === undefined ? [] : await troubleOf(client, pod);
  const why = trouble.length === 0 ? '' : `: ${trouble.join('; ')}`;
  const next = `kubectl describe ksvc ${name} -n ${namespace}; kubectl get pods -n ${namespace}`;
  return new UserError(`service ${name} is not ready after ${waitedMs / 1000} s${why}`, {
    hint: `${await logOf(client, revision)}Next: ${next}`,
  });
}

function nextStep(reason: string, { name, namespace, revision }: Failed): string {
  if (/pull access denied|failed to authorize/.test(reason))
    return 'give the cluster a login for that registry: see docs/guides/private-registries.md';
  if (reason.startsWith('Unable to fetch image'))
    return 'see which images are here with "dormouse image ls"; build one (deploy --source DIR), load it (dormouse image load), or name a registry this machine reaches';
  if (reason.endsWith('(OOMKilled)')) return `its program needs more memory than its limit: deploy it again with a larger --memory`;
  if (/^Revision "[^"]*" referenced in traffic not found/.test(reason))
    return `give the traffic to revisions that are there: dormouse traffic ${name} @latest=100${inNamespace(namespace)}`;
  const details = `kubectl describe revision ${revision?.metadata.name ?? ''} -n ${namespace}`;
  return `mend it and deploy again; all it printed: dormouse logs ${name}${inNamespace(namespace)}; details: ${details}`;
}

/** How a command is told another namespace than the default one. */
export function inNamespace(namespace = 'default'): string {
  return namespace === 'default' ? '' : ` -n ${namespace}`;
}

/** The newest revision knows best (`Unable to fetch image …`); the Service only says that its Configuration failed. */
export function failureReason(revision: Pick<Revision, 'status'> | undefined, fallback: string): string {
  const ready = revision === undefined ? undefined : conditionOf(revision, 'Ready');
  return ready?.status === 'False' && (ready.message ?? '') !== '' ? (ready.message ?? fallback) : fallback;
}

async function logOf(client: Client, revision: Revision | undefined): Promise<string> {
  const [pod] = revision === undefined ? [] : await podsOf(client, revision);
  const log = pod === undefined ? '' : await lastLines(client, pod);
  return log === '' ? '' : `Last log lines:\n    ${log.split('\n').join('\n    ')}\n  `;
}

async function lastLines(client: Client, pod: Pod): Promise<string> {
  const { namespace, name } = pod.metadata;
  for (const previous of ['false', 'true']) {
    try {
      const { status, body } = await client.raw({
        method: 'GET',
        path: `/api/v1/namespaces/${namespace}/pods/${name}/log`,
        query: { tailLines: '10', previous, container: pod.spec?.containers?.[0]?.name ?? '' },
      });
      if (status === 200 && typeof body === 'string' && body.trim() !== '') return body.trimEnd();
    } catch {
      // No log is no news: the message says why the service failed.
    }
  }
  return '';
}

export async function podsOf(client: Client, revision: Revision): Promise<readonly Pod[]> {
  const { items } = await client
    .of(pods)
    .list({ namespace: revision.metadata.namespace, labelSelector: `${labels.revision}=${revision.metadata.name}` });
  return items;
}
