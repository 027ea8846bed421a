import type { Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { isReady } from '#apis/core/v1/pod-state.ts';
import { conditionOf } from '#apis/knative/status.ts';
import { revisions, services } from '#apis/serving/v1/kinds.ts';
import type { Revision, Service } from '#apis/serving/v1/schemas.ts';
import { ifThere } from '#apis/meta/status.ts';
import type { Client } from '#client/client.ts';
import { UserError } from '#core/errors.ts';
import { failure, podsOf, troubleOf, unfinished } from '#cli/serving/trouble.ts';

const pollMs = 40;
/** What has not happened after a while is asked for less often. */
const patientMs = 5000;
const patientPollMs = 500;

export interface WaitOptions {
  readonly namespace: string;
  readonly name: string;
  readonly timeoutMs: number;
  /** The newest revision before the change: not what is waited for. */
  readonly before?: string | undefined;
  readonly stdout: Writable;
  readonly signal: AbortSignal;
}

/**
 * Waits until the newest spec of a service is ready, printing each step as it happens: revision, image, pod, route. Throws a
 * UserError with the reason, the last log lines and what to do next when it fails.
 */
export async function waitReady(client: Client, { namespace, name, timeoutMs, before, stdout, signal }: WaitOptions): Promise<Service> {
  const startedAt = performance.now();
  const said = new Set<string>();
  const say = (step: string, text: string) => {
    if (said.has(`${step} ${text}`)) return;
    said.add(`${step} ${text}`);
    stdout.write(`  ${step.padEnd(9)} ${text}   (${((performance.now() - startedAt) / 1000).toFixed(2)} s)\n`);
  };
  let failingSince: number | undefined;
  let newest: Revision | undefined;
  while (performance.now() - startedAt < timeoutMs) {
    const service = await client.of(services).get(namespace, name);
    const current = service.status?.observedGeneration === service.metadata.generation;
    const revisionName = service.status?.latestCreatedRevisionName;
    const revision = revisionName === before || !current ? undefined : await findRevision(client, namespace, revisionName);
    newest = revision;
    if (revision !== undefined) await describeRevision(client, revision, say);
    const ready = conditionOf(service, 'Ready');
    if (!current && performance.now() - startedAt > patientMs)
      say('waiting', 'no controller has seen the change yet; with --knative-controllers=off, "dormouse controllers" has to run');
    if (current && ready?.status === 'True') {
      say('route', service.status?.url ?? '');
      return service;
    }
    // A failure may be the last revision's, until the controllers have seen the new one: it has to stay for a moment.
    const failed = current && ready?.status === 'False';
    failingSince = failed ? (failingSince ?? performance.now()) : undefined;
    if (failed && performance.now() - (failingSince ?? 0) > 1000)
      throw await failure(client, { namespace, name, revision, message: ready?.message ?? '' });
    await delay(performance.now() - startedAt > patientMs ? patientPollMs : pollMs, undefined, { signal });
  }
  throw await unfinished(client, { namespace, name, revision: newest, waitedMs: timeoutMs });
}

/** Waits until the routes are as the newest spec of a service says; whether a new revision is ready besides is no matter. */
export async function waitRouted(
  client: Client,
  { namespace, name, timeoutMs, signal }: Omit<WaitOptions, 'before' | 'stdout'>,
): Promise<Service> {
  let said = '';
  for (const deadline = performance.now() + timeoutMs; performance.now() < deadline; await delay(pollMs, undefined, { signal })) {
    const service = await client.of(services).get(namespace, name);
    const routes = conditionOf(service, 'RoutesReady');
    if (service.status?.observedGeneration !== service.metadata.generation) continue;
    if (routes?.status === 'True') return service;
    said = routes?.message ?? '';
    if (routes?.status === 'False') break;
  }
  throw new UserError(`the traffic of ${name} was not changed: ${said === '' ? `no answer within ${timeoutMs / 1000} s` : said}`, {
    hint: `Requests go where they went before. See: dormouse revisions ${name} -n ${namespace}`,
  });
}

async function describeRevision(client: Client, revision: Revision, say: (step: string, text: string) => void): Promise<void> {
  say('revision', `${revision.metadata.name} created`);
  const image = revision.status?.containerStatuses?.[0]?.imageDigest;
  if (image === undefined) return;
  say('image', shortDigest(image));
  for (const pod of await podsOf(client, revision)) {
    if (isReady(pod)) say('pod', `${pod.metadata.name} is ready`);
    else for (const line of await troubleOf(client, pod)) say('waiting', line);
  }
}

/** The revision, or undefined when it is not there (or there is no name yet). */
export async function findRevision(client: Client, namespace: string, name: string | undefined): Promise<Revision | undefined> {
  return name === undefined ? undefined : ifThere(client.of(revisions).get(namespace, name));
}

function shortDigest(image: string): string {
  return image.replace(/@sha256:([0-9a-f]{12})[0-9a-f]+$/, '@$1');
}
