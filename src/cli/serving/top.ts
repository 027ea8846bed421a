import { conditionOf } from '#apis/knative/status.ts';
import { labels } from '#apis/serving/names.ts';
import type { Pod } from '#apis/core/v1/pod.ts';
import type { Revision, Service } from '#apis/serving/v1/schemas.ts';

/** The gateway's counters of one revision. */
export interface Counters {
  readonly requests: number;
  readonly running: number;
  readonly queued: number;
  readonly coldStarts: number;
}

/** Counters by `namespace/revision` at one moment (monotonic milliseconds). */
export interface Sample {
  readonly atMs: number;
  readonly counters: ReadonlyMap<string, Counters>;
}

/** One line of `dormouse top`. */
export interface TopRow extends Counters {
  readonly namespace: string;
  readonly service: string;
  readonly ready: string;
  readonly pods: number;
  readonly requestsPerSecond: number;
}

const none: Counters = { requests: 0, running: 0, queued: 0, coldStarts: 0 };
const fields: Readonly<Record<string, keyof Counters>> = {
  dormouse_gateway_requests_total: 'requests',
  dormouse_gateway_requests_running: 'running',
  dormouse_gateway_requests_queued: 'queued',
  dormouse_gateway_cold_start_seconds_count: 'coldStarts',
};

/** What `top` shows of the gateway's Prometheus text; other series are passed over. */
export function readCounters(text: string): Map<string, Counters> {
  const found = new Map<string, Counters>();
  for (const [, name = '', pairs = '', value = ''] of text.matchAll(/^(\w+)\{(.*)\} (\S+)$/gm)) {
    const field = fields[name];
    if (field === undefined) continue;
    const { namespace, revision } = Object.fromEntries(
      [...pairs.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = '', text = '']) => [key, text]),
    );
    const key = `${namespace}/${revision}`;
    const before = found.get(key) ?? none;
    found.set(key, { ...before, [field]: before[field] + Number(value) });
  }
  return found;
}

/** A line per service, busiest first; its revisions' counters are added up, rates are between the two samples. */
export function topRows(
  objects: { readonly services: readonly Service[]; readonly revisions: readonly Revision[]; readonly pods: readonly Pod[] },
  before: Sample,
  now: Sample,
): TopRow[] {
  const seconds = Math.max((now.atMs - before.atMs) / 1000, 0.001);
  const rows = objects.services.map((service): TopRow => {
    const { namespace = '', name = '' } = service.metadata;
    const belongs = ({ metadata }: Pod | Revision) => metadata.namespace === namespace && metadata.labels?.[labels.service] === name;
    const keys = objects.revisions.filter(belongs).map(({ metadata }) => `${namespace}/${metadata.name}`);
    const sum = (field: keyof Counters) => keys.reduce((total, key) => total + (now.counters.get(key) ?? none)[field], 0);
    const finished = keys.reduce((total, key) => total + grown(before.counters.get(key)?.requests, now.counters.get(key)?.requests), 0);
    return {
      namespace,
      service: name,
      ready: conditionOf(service, 'Ready')?.status ?? 'Unknown',
      pods: objects.pods.filter((pod) => belongs(pod) && pod.status?.phase === 'Running').length,
      requestsPerSecond: Math.round((finished / seconds) * 10) / 10,
      requests: sum('requests'),
      running: sum('running'),
      queued: sum('queued'),
      coldStarts: sum('coldStarts'),
    };
  });
  return rows.toSorted((a, b) => b.requestsPerSecond - a.requestsPerSecond || compare(a, b));
}

/** A counter that is smaller than before began again, in a new gateway process. */
function grown(before = 0, now = 0): number {
  return now < before ? now : now - before;
}

function compare(a: TopRow, b: TopRow): number {
  return `${a.namespace}/${a.service}` < `${b.namespace}/${b.service}` ? -1 : 1;
}
