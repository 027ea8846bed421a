import { pods } from '#apis/core/v1/pod.ts';
import { conditionOf } from '#apis/knative/status.ts';
import { labels } from '#apis/serving/names.ts';
import { services } from '#apis/serving/v1/kinds.ts';
import type { Service } from '#apis/serving/v1/schemas.ts';
import { UserError } from '#core/errors.ts';
import type { Client } from '#client/client.ts';
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
  await Promise.all(
    items.map(async (pod) => {
      const short = (pod.metadata.name ?? '').split('-').at(-1) ?? '';
      const { chunks } = await client.stream({
        method: 'GET',
        path: `/api/v1/namespaces/${namespace}/pods/${pod.metadata.name}/log`,
        query: {
          tailLines,
          container: pod.spec?.containers?.[0]?.name ?? '',
          ...(follow ? { follow: 'true' } : {}),
        },
        signal: invocation.signal,
      });
      await printLines(chunks, (line) => invocation.stdout.write(items.length > 1 ? `[${short}] ${line}\n` : `${line}\n`));
    }),
  );
  return 0;
}

/** Why a service that never had a pod has none. */
async function failureOf(client: Client, service: Service): Promise<UserError> {
  const { namespace = 'default', name = '' } = service.metadata;
  const revision = await findRevision(client, namespace, service.status?.latestCreatedRevisionName);
  return failure(client, { namespace, name, revision, message: conditionOf(service, 'Ready')?.message ?? '' });
}

async function printLines(chunks: AsyncIterable<Uint8Array>, print: (line: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunks) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = parts.pop() ?? '';
    for (const part of parts) print(part);
  }
  if (rest !== '') print(rest);
}
