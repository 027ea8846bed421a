import type { Column } from '#apis/definition.ts';
import { column, nameColumn, wideColumn } from '#apis/meta/columns.ts';
import { timeSince } from '#apis/meta/human-duration.ts';
import type { KubeObject } from '#apis/meta/object.ts';

/** What both Event APIs (v1 and events.k8s.io/v1) say about an event, under one set of names. */
export interface EventView {
  readonly firstTimestamp?: string | undefined;
  readonly lastTimestamp?: string | undefined;
  readonly eventTime?: string | undefined;
  readonly count?: number | undefined;
  readonly series?: { readonly count?: number; readonly lastObservedTime?: string } | undefined;
  readonly type?: string | undefined;
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
  readonly object?: { readonly kind?: string; readonly name?: string; readonly fieldPath?: string } | undefined;
  readonly component?: string | undefined;
  readonly instance?: string | undefined;
}

function firstSeen({ firstTimestamp, eventTime }: EventView, now: number): string {
  return timeSince(isGiven(firstTimestamp) ? firstTimestamp : eventTime, now);
}

function lastSeen(event: EventView, now: number): string {
  if (event.series !== undefined) return timeSince(event.series.lastObservedTime, now);
  return isGiven(event.lastTimestamp) ? timeSince(event.lastTimestamp, now) : firstSeen(event, now);
}

function target({ object }: EventView): string {
  const kind = (object?.kind ?? '').toLowerCase();
  return isGiven(object?.name) ? `${kind}/${object?.name}` : kind;
}

function source({ component = '', instance = '' }: EventView): string {
  return instance === '' ? component : `${component}, ${instance}`;
}

const isGiven = (text: string | undefined): boolean => text !== undefined && text !== '';

/** LAST SEEN, TYPE, REASON, OBJECT, MESSAGE and the wide ones; NAME comes last and only when wide. */
export function eventColumns<T extends KubeObject>(view: (event: T) => EventView): readonly Column[] {
  return [
    column<T>('Last Seen', (event, now) => lastSeen(view(event), now)),
    column<T>('Type', (event) => view(event).type ?? ''),
    column<T>('Reason', (event) => view(event).reason ?? ''),
    column<T>('Object', (event) => target(view(event))),
    wideColumn<T>('Subobject', (event) => view(event).object?.fieldPath ?? ''),
    wideColumn<T>('Source', (event) => source(view(event))),
    column<T>('Message', (event) => (view(event).message ?? '').trim()),
    wideColumn<T>('First Seen', (event, now) => firstSeen(view(event), now)),
    wideColumn<T>('Count', (event) => view(event).series?.count ?? (view(event).count || 1), 'integer'),
    { ...nameColumn<T>(({ metadata }) => metadata.name ?? ''), priority: 1 },
  ];
}
