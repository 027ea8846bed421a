import { pods, type Pod } from '#apis/core/v1/pod.ts';
import { conditionOf } from '#apis/knative/status.ts';
import { labels } from '#apis/serving/names.ts';
import { services } from '#apis/serving/v1/kinds.ts';
import type { Service } from '#apis/serving/v1/schemas.ts';
import { UserError } from '#core/errors.ts';
import type { Client } from '#client/client.ts';
import { answerFailed } from '#client/errors.ts';
import { connect } from '#cli/api.ts';
import { flagOption, textOption, type Invocation } from '#cli/command.ts';
import { findRevision } from '#cli/serving/progress.ts';
import { failure } from '#cli/serving/trouble.ts';

/** `dormouse logs SERVICE [-f]`: the logs of all of a service's pods, each line with its pod's short name. */
export async function serviceLogs(invocation: Invocation): Promise<number> {
  const { client, namespace } = await connect(invocation);
  const [name = ''] = invocation.positionals;
  const tailLines = textOption(invocation, 'tail') ?? '';
  if (!/^\d+$/.test(tailLines)) throw new UserError(`--tail: ${JSON.stringify(tailLines)} is not a number of lines`);
  const service = await client.of(services).get(namespace, name);
  const { items } = await client.of(pods).list({ namespace, labelSelector: `${labels.service}=${name}` });
  if (items.length === 0 && service.status?.latestReadyRevisionName === undefined && conditionOf(service, 'Ready')?.status === 'False')
    throw await failureOf(client, service);
  if (items.length === 0)
    throw new UserError(`service ${name} has no pods now`, {
      hint: 'It sleeps until somebody calls it; logs of pods that are gone are gone with them.',
    });
  const follow = flagOption(invocation, 'follow');
  const logs = await Promise.allSettled(
    items.map((pod) => {
      const prefix = items.length > 1 ? `[${(pod.metadata.name ?? '').split('-').at(-1)}] ` : '';
      const query = { tailLines, container: pod.spec?.containers?.[0]?.name ?? '', ...(follow ? { follow: 'true' } : {}) };
      return printLog(client, pod, query, { signal: invocation.signal, print: (line) => invocation.stdout.write(`${prefix}${line}\n`) });
    }),
  );
  // A pod that has no log yet keeps nobody from those of the others.
  const [failed] = logs.filter((log) => log.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  // An empty answer would look like a mistake.
  if (logs.every((log) => log.status === 'fulfilled' && log.value === 0))
    invocation.stderr.write(`The pods of ${name} have printed nothing yet.\n`);
  return 0;
}

interface Printing {
  readonly signal: AbortSignal;
  readonly print: (line: string) => void;
}

/** How many lines there were. Rejects with what the API answers instead, such as that the container still waits to start. */
async function printLog(
  client: Client,
  { metadata }: Pod,
  query: Readonly<Record<string, string>>,
  { signal, print }: Printing,
): Promise<number> {
  const path = `/api/v1/namespaces/${metadata.namespace}/pods/${metadata.name}/log`;
  const { status, chunks } = await client.stream({ method: 'GET', path, query, signal });
  if (status === 200) return printLines(chunks, print);
  const lines: string[] = [];
  await printLines(chunks, (line) => lines.push(line));
  throw answerFailed(`GET ${path}`, status, parsed(lines.join('\n')));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Why a service that never had a pod has none. */
async function failureOf(client: Client, service: Service): Promise<UserError> {
  const { namespace = 'default', name = '' } = service.metadata;
  const revision = await findRevision(client, namespace, service.status?.latestCreatedRevisionName);
  return failure(client, { namespace, name, revision, message: conditionOf(service, 'Ready')?.message ?? '' });
}

/** How many lines there were. */
async function printLines(chunks: AsyncIterable<Uint8Array>, print: (line: string) => void): Promise<number> {
  const decoder = new TextDecoder();
  let [rest, count] = ['', 0];
  for await (const chunk of chunks) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = parts.pop() ?? '';
    for (const part of parts) print(part);
    count += parts.length;
  }
  if (rest === '') return count;
  print(rest);
  return count + 1;
}
