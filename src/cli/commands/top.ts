import { setTimeout as delay } from 'node:timers/promises';
import { pods } from '#apis/core/v1/pod.ts';
import { labels } from '#apis/serving/names.ts';
import { revisions, services } from '#apis/serving/v1/kinds.ts';
import { errorText, UserError } from '#core/errors.ts';
import { connect, type Target } from '#cli/api.ts';
import { flagOption, textOption, type Invocation } from '#cli/command.ts';
import { printData, table } from '#cli/output.ts';
import { readCounters, topRows, type Sample, type TopRow } from '#cli/serving/top.ts';

const intervalMs = 1000;
const clearScreen = '\u001B[H\u001B[J';

/** `dormouse top`: redrawn every second on a terminal until Ctrl-C; elsewhere, with `--once` and as data a single time. */
export async function top(invocation: Invocation): Promise<number> {
  const { stdout, signal } = invocation;
  const target = await connect(invocation);
  const namespace = textOption(invocation, 'namespace');
  const form = textOption(invocation, 'output') ?? 'table';
  const once = flagOption(invocation, 'once') || form !== 'table' || (stdout as { isTTY?: boolean }).isTTY !== true;
  let before = await takeSample(target, signal);
  try {
    for (;;) {
      await delay(intervalMs, undefined, { signal });
      const now = await takeSample(target, signal);
      const rows = topRows(await objectsOf(target, namespace), before, now);
      if (form !== 'table') await printData(stdout, form, rows);
      else stdout.write(`${once ? '' : clearScreen}${screen(rows)}\n`);
      if (once) return 0;
      before = now;
    }
  } catch (error) {
    if (signal.aborted) return 0;
    throw error;
  }
}

async function takeSample({ platform }: Target, signal: AbortSignal): Promise<Sample> {
  const url = `http://127.0.0.1:${platform.ports.adminPort}/metrics`;
  try {
    const response = await fetch(url, { signal });
    if (!response.ok) throw new Error(`it answered ${response.status}`);
    return { atMs: performance.now(), counters: readCounters(await response.text()) };
  } catch (error) {
    if (signal.aborted) throw error;
    throw new UserError(`the gateway's counters cannot be read from ${url}: ${errorText(error)}`, {
      hint: 'Is the gateway running? See "dormouse status".',
      cause: error,
    });
  }
}

async function objectsOf({ client }: Target, namespace: string | undefined) {
  const [ofServices, ofRevisions, ofPods] = await Promise.all([
    client.of(services).list({ namespace }),
    client.of(revisions).list({ namespace }),
    client.of(pods).list({ namespace, labelSelector: labels.service }),
  ]);
  return { services: ofServices.items, revisions: ofRevisions.items, pods: ofPods.items };
}

function screen(rows: readonly TopRow[]): string {
  if (rows.length === 0) return 'No services. Deploy one: dormouse deploy --source DIR';
  return table(
    ['NAMESPACE', 'SERVICE', 'READY', 'PODS', 'REQ/S', 'RUNNING', 'QUEUED', 'COLD STARTS', 'REQUESTS'],
    rows.map((row) => [
      row.namespace,
      row.service,
      row.ready,
      String(row.pods),
      row.requestsPerSecond.toFixed(1),
      ...[row.running, row.queued, row.coldStarts, row.requests].map(String),
    ]),
  );
}
