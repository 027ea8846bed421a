import { createReadStream, existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pods, type Pod } from '#apis/core/v1/pod.ts';
import { systemNamespace } from '#apis/dormouse/names.ts';
import { ifThere } from '#apis/meta/status.ts';
import type { Client } from '#client/client.ts';
import { timestamp } from '#controller/conditions.ts';
import { systemClock } from '#core/clock.ts';
import { sleep } from '#core/clock.ts';
import type { Logger } from '#core/logger.ts';
import { request } from '#core/node-http.ts';
import { semanticEqual } from '#machinery/semantic-equality.ts';
import type { ProcessConfig, Role } from '#platform/process-config.ts';
import { version } from '#platform/version.ts';

/** Marks a pod as the image of a process of the platform: nobody runs it, its logs and readiness are that process's own. */
export const mirrorAnnotation = 'kubernetes.io/config.mirror';
const checkMs = 10_000;
const maxLogBytes = 4 * 2 ** 20;
const followMs = 250;

/** A part of the platform under the name people know it by. */
interface SystemPart {
  readonly name: string;
  readonly role: Role;
  /** Which lines of the process's log are this part's. */
  readonly components: readonly string[];
}

const parts: readonly SystemPart[] = [
  { name: 'activator', role: 'gateway', components: [] },
  { name: 'autoscaler', role: 'control', components: ['autoscaler', 'kpa-controller'] },
  { name: 'controller', role: 'control', components: [] },
  { name: 'webhook', role: 'control', components: ['apiserver', 'admission'] },
];

/** Keeps a mirror pod for each part that really runs, until the signal aborts. */
export async function keepSystemPods(client: Client, config: ProcessConfig, logger: Logger, signal: AbortSignal): Promise<void> {
  const started = timestamp(systemClock);
  const elsewhere = new Set(config.settings.knativeControllers === 'off' ? ['autoscaler', 'controller'] : []);
  // Left by a run that had them; once gone, nobody makes them again.
  const removed = new Set<SystemPart>();
  while (!signal.aborted) {
    try {
      const gatewayIsUp = await isHealthy(config.ports.adminPort);
      for (const part of parts) {
        if (elsewhere.has(part.name)) {
          if (removed.has(part)) continue;
          await remove(client, config, part);
          removed.add(part);
        } else await keep(client, config, part, part.role === 'gateway' ? gatewayIsUp : true, started);
      }
    } catch (error) {
      logger.warn('system pods could not be updated', { error });
    }
    await sleep(systemClock, checkMs, signal).catch(() => {});
  }
}

/** The log file of a mirror pod and the components whose lines are its own (empty: all); undefined for other pods. */
export function systemLog(pod: Pod, config: ProcessConfig): { readonly file: string; readonly components: readonly string[] } | undefined {
  if (pod.metadata.annotations?.[mirrorAnnotation] === undefined) return undefined;
  const part = parts.find(({ name }) => name === pod.metadata.labels?.['app']);
  return part === undefined ? undefined : { file: join(config.layout.logsDir, `${part.role}.log`), components: part.components };
}

export interface SystemLogOptions {
  readonly tailLines?: number;
  /** Go on with what is written later, until the signal aborts. */
  readonly follow: boolean;
  readonly signal: AbortSignal;
}

/** The last lines of a part's log, and those to come when they are wanted. */
export async function* readSystemLog(
  { file, components }: { file: string; components: readonly string[] },
  { tailLines, follow, signal }: SystemLogOptions,
): AsyncIterable<Uint8Array> {
  const isOurs = (line: string) =>
    line !== '' && (components.length === 0 || components.some((name) => line.includes(`"component":"${name}"`)));
  let offset = Math.max(0, sizeOf(file) - maxLogBytes);
  let rest = '';
  const readOn = async (): Promise<string[]> => {
    const lines = (rest + (await readFrom(file, offset))).split('\n');
    offset = Math.max(offset, sizeOf(file));
    rest = lines.pop() ?? '';
    return lines.filter(isOurs);
  };
  const lines = await readOn();
  for (const line of tailLines === undefined ? lines : tailLines === 0 ? [] : lines.slice(-tailLines)) yield Buffer.from(`${line}\n`);
  if (!follow) return;
  while (!signal.aborted) {
    await sleep(systemClock, followMs, signal).catch(() => {});
    // A shorter file is a new one.
    if (sizeOf(file) < offset) [offset, rest] = [0, ''];
    if (sizeOf(file) > offset) for (const line of await readOn()) yield Buffer.from(`${line}\n`);
  }
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

async function readFrom(file: string, start: number): Promise<string> {
  if (!existsSync(file)) return '';
  let text = '';
  for await (const chunk of createReadStream(file, { start, encoding: 'utf8' })) text += String(chunk);
  return text;
}

async function keep(client: Client, config: ProcessConfig, part: SystemPart, healthy: boolean, started: string): Promise<void> {
  const wanted = mirrorPod(config, part);
  const status = podStatus(part, healthy, started, config.settings.listen);
  const existing = await ifThere(client.of(pods).get(systemNamespace, wanted.metadata.name ?? ''));
  const pod = existing ?? (await client.of(pods).create(wanted));
  if (!semanticEqual(pod.status, { ...pod.status, ...status })) {
    await client.of(pods).patch(systemNamespace, pod.metadata.name ?? '', { type: 'merge', body: { status } }, { subresource: 'status' });
  }
}

async function remove(client: Client, config: ProcessConfig, part: SystemPart): Promise<void> {
  await ifThere(client.of(pods).delete(systemNamespace, mirrorPod(config, part).metadata.name ?? '', { gracePeriodSeconds: 0 }));
}

function mirrorPod({ layout, settings }: ProcessConfig, { name }: SystemPart): Pod {
  return {
    metadata: {
      name: `${name}-${layout.id}`,
      namespace: systemNamespace,
      labels: {
        app: name,
        'app.kubernetes.io/name': 'knative-serving',
        'app.kubernetes.io/component': name,
        'app.kubernetes.io/version': version,
      },
      annotations: { [mirrorAnnotation]: layout.id },
    },
    spec: {
      nodeName: settings.nodeName,
      hostNetwork: true,
      automountServiceAccountToken: false,
      containers: [{ name, image: `dormouse:${version}`, imagePullPolicy: 'Never' }],
      tolerations: [{ operator: 'Exists' }],
    },
  } as Pod;
}

function podStatus({ name }: SystemPart, healthy: boolean, started: string, address: string): NonNullable<Pod['status']> {
  const ready = healthy ? 'True' : 'False';
  const conditions = ['Initialized', 'Ready', 'ContainersReady', 'PodScheduled'].map((type) => ({
    type,
    status: type === 'Ready' || type === 'ContainersReady' ? ready : 'True',
    lastTransitionTime: started,
  }));
  return {
    phase: 'Running',
    hostIP: address,
    podIP: address,
    podIPs: [{ ip: address }],
    startTime: started,
    conditions,
    containerStatuses: [
      {
        name,
        ready: healthy,
        started: true,
        restartCount: 0,
        image: `dormouse:${version}`,
        imageID: '',
        state: { running: { startedAt: started } },
      },
    ],
  } as NonNullable<Pod['status']>;
}

function isHealthy(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = request({ host: '127.0.0.1', port, path: '/healthz', timeout: 2000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    probe.on('error', () => resolve(false));
    probe.on('timeout', () => probe.destroy());
    probe.end();
  });
}
