import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as delay } from 'node:timers/promises';
import { pods } from '#apis/core/v1/pod.ts';
import { labels } from '#apis/serving/names.ts';
import { autoscalingPrefix } from '#apis/serving/validation/annotations.ts';
import type { Client } from '#client/client.ts';
import { UserError } from '#core/errors.ts';
import { connect, type Target } from '#cli/api.ts';
import type { Invocation } from '#cli/command.ts';
import { table } from '#cli/output.ts';
import { connectImages, megabytes, progressPrinter } from '#cli/images.ts';
import { resolveSettings, runningStatus, typed } from '#cli/platform.ts';
import { waitReady } from '#cli/serving/progress.ts';
import { readDeployOptions } from '#cli/serving/deploy-options.ts';
import { deployService } from '#cli/serving/spec.ts';
import { upDetached } from '#cli/commands/up.ts';
import { request } from '#core/node-http.ts';
import { layoutOf } from '#platform/layout.ts';

const name = 'helloworld-nodejs';
const image = 'gcr.io/knative-samples/helloworld-nodejs';
const target = 'Dormouse';

/** `npm run quickstart`: the main job from nothing, with the time of each step. Running it again is fine. */
export async function quickstart(invocation: Invocation): Promise<number> {
  const { stdout } = invocation;
  const times: [string, number][] = [];
  const step = async <T>(title: string, work: () => Promise<T>): Promise<T> => {
    stdout.write(`\n▸ ${title}\n`);
    const startedAt = performance.now();
    const result = await work();
    times.push([title, performance.now() - startedAt]);
    return result;
  };
  const { values } = await resolveSettings(invocation);
  const running = (await runningStatus(layoutOf(values.dataDir))) !== undefined;
  if (running) stdout.write('The platform is running already.\n');
  else await step('Start the platform in the background', () => upDetached(invocation, values.dataDir));
  await step(`Build examples/helloworld-nodejs into ${image}`, () => build(invocation));
  const connected = await connect(invocation);
  const service = await step('Deploy it as a Knative Service, until it is ready', () => deploy(connected, invocation));
  const url = service.status?.url ?? '';
  await step(`Call it: ${url}`, async () => stdout.write(`  ${await call(url, connected)}\n`));
  await step('Leave it alone until it sleeps (scale to zero)', () =>
    untilAsleep(connected, service.status?.latestReadyRevisionName ?? '', invocation),
  );
  await step('Call it again: it wakes up', async () => stdout.write(`  ${await call(url, connected)}\n`));
  stdout.write(
    `\n${table(
      ['STEP', 'TIME'],
      times.map(([title, ms]) => [title, ms < 1000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(2)} s`]),
    )}\n\n`,
  );
  stdout.write(whatNext(connected, url, invocation));
  return 0;
}

async function build(invocation: Invocation): Promise<void> {
  const directory = join(fileURLToPath(new URL('../../..', import.meta.url)), 'examples', name);
  const packaged = join(fileURLToPath(new URL('..', import.meta.url)), 'examples', name);
  const source = [directory, packaged].find((one) => existsSync(one));
  if (source === undefined)
    throw new UserError('the example helloworld-nodejs is not there', { hint: 'The installation is not complete: install again.' });
  const { images } = await connectImages(invocation);
  const { digest, sizeBytes } = await images.build(
    { directory: source, tags: [image] },
    progressPrinter(invocation, '  '),
    invocation.signal,
  );
  invocation.stdout.write(`  ${image}@${digest.slice(0, 19)}  ${megabytes(sizeBytes)}\n`);
}

async function deploy({ client }: Target, invocation: Invocation) {
  // Sleeps after six seconds instead of a minute, so that there is something to see.
  const annotations = { [`${autoscalingPrefix}window`]: '6s' };
  const { service } = await deployService(
    client,
    { namespace: 'default', name, image, annotations },
    readDeployOptions({ options: { env: [`TARGET=${target}`] } }),
  );
  const { stdout, signal } = invocation;
  const before = service.status?.latestCreatedRevisionName;
  return waitReady(client, { namespace: 'default', name, timeoutMs: 120_000, before, stdout, signal });
}

/** Calls the service through the gateway by its Host, so that no DNS is needed. */
function call(url: string, { platform }: Target): Promise<string> {
  const { host } = new URL(url);
  return new Promise((resolve, reject) => {
    const startedAt = performance.now();
    const sent = request(
      { host: platform.listen, port: platform.ports.httpPort, path: '/', headers: { host }, timeout: 60_000 },
      (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
        response.on('end', () => {
          const text = `${body.trim()}   (HTTP ${response.statusCode}, ${(performance.now() - startedAt).toFixed(0)} ms)`;
          if (response.statusCode === 200) resolve(text);
          else reject(new UserError(`the service answered ${text}`, { hint: `See its logs: dormouse logs ${name}` }));
        });
      },
    );
    sent.on('timeout', () =>
      sent.destroy(new UserError('the service did not answer within 60 s', { hint: `See its logs: dormouse logs ${name}` })),
    );
    sent.on('error', reject);
    sent.end();
  });
}

/** Waits until the autoscaler has removed the last pod (a stable window without requests, six seconds here, and a little), saying what it sees. */
async function untilAsleep({ client }: Target, revision: string, { stdout, signal }: Invocation): Promise<void> {
  const startedAt = performance.now();
  let last: number | undefined;
  while (performance.now() - startedAt < 90_000) {
    const count = await podCount(client, revision);
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(2);
    if (count !== last)
      stdout.write(`  ${count === 0 ? 'no pod runs any more' : `${count} ${count === 1 ? 'pod runs' : 'pods run'}`}   (${seconds} s)\n`);
    if (count === 0) return;
    last = count;
    await delay(100, undefined, { signal });
  }
  throw new UserError(`${revision} still has pods after 90 s`, { hint: 'See why: kubectl describe pods' });
}

async function podCount(client: Client, revision: string): Promise<number> {
  return (await client.of(pods).list({ namespace: 'default', labelSelector: `${labels.revision}=${revision}` })).items.length;
}

function whatNext({ platform }: Target, url: string, invocation: Invocation): string {
  const { host } = new URL(url);
  const gateway = new URL(`http://${platform.listen}:${platform.ports.httpPort}`).origin;
  const lines = [
    ['in a browser', url],
    ['with curl', `curl -H "Host: ${host}" ${gateway}`],
    ['with kubectl', `KUBECONFIG=${platform.kubeconfig} kubectl get ksvc,pods`],
    ['its logs', typed(invocation, `logs ${name} -f`)],
    ['under load', `hey -z 20s -c 50 -host ${host} ${gateway}`],
    ['watch it', `${typed(invocation, 'top')}   (in another terminal)`],
    ['your own', typed(invocation, 'deploy --source DIR --name NAME')],
    ['stop', `${typed(invocation, 'down')}   (its data stays; ${typed(invocation, 'reset')} deletes it)`],
  ];
  return `What to try next:\n${lines.map(([what = '', how = '']) => `  ${what.padEnd(13)} ${how}`).join('\n')}\n`;
}
