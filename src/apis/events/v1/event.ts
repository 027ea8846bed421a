import { eventColumns } from '#apis/core/v1/event-columns.ts';
import { eventDefinition as coreDefinition, eventSourceSchema } from '#apis/core/v1/event.ts';
import { objectReferenceSchema } from '#apis/core/v1/references.ts';
import { resourceOf, type KindDefinition } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { fieldInvalid } from '#apis/meta/field-error.ts';
import { checkQualifiedName } from '#apis/meta/names.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import { requiredName, requiredText } from '#apis/meta/validation.ts';
import { int32, microTime, object, string, time, type Infer } from '#apis/schema.ts';

const eventsGroup = 'io.k8s.api.events.v1';

export const eventSeriesSchema = object(`${eventsGroup}.EventSeries`, {
  count: [1, int32()],
  lastObservedTime: [2, microTime()],
});
export interface EventSeries extends Infer<typeof eventSeriesSchema> {}

export const eventSchema = kindSchema(`${eventsGroup}.Event`, {
  eventTime: [2, microTime()],
  series: [3, eventSeriesSchema],
  reportingController: [4, string()],
  reportingInstance: [5, string()],
  action: [6, string()],
  reason: [7, string()],
  regarding: [8, objectReferenceSchema],
  related: [9, objectReferenceSchema],
  note: [10, string()],
  type: [11, string()],
  deprecatedSource: [12, eventSourceSchema],
  deprecatedFirstTimestamp: [13, time()],
  deprecatedLastTimestamp: [14, time()],
  deprecatedCount: [15, int32()],
});
export interface Event extends Infer<typeof eventSchema> {}

/** What the two groups call the same thing: here, in the core group. */
const names: readonly (readonly [here: string, core: string])[] = [
  ['regarding', 'involvedObject'],
  ['note', 'message'],
  ['deprecatedSource', 'source'],
  ['deprecatedFirstTimestamp', 'firstTimestamp'],
  ['deprecatedLastTimestamp', 'lastTimestamp'],
  ['deprecatedCount', 'count'],
  ['reportingController', 'reportingComponent'],
];
const toCore = new Map(names);
const fromCore = new Map(names.map(([here, core]) => [core, here]));

function toStored(object: KubeObject): KubeObject {
  return { involvedObject: {}, ...renamed(object, toCore) } as unknown as KubeObject;
}

function fromStored(object: KubeObject): KubeObject {
  return renamed(object, fromCore) as unknown as KubeObject;
}

function renamed(object: KubeObject, to: ReadonlyMap<string, string>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [to.get(name) ?? name, value as unknown]));
}

/** The same objects as the core group's events, by other names. */
export const eventDefinition = defineBuiltin<Event>({
  group: 'events.k8s.io',
  kind: 'Event',
  plural: 'events',
  shortNames: ['ev'],
  versions: [
    {
      name: 'v1',
      schema: eventSchema,
      served: true,
      columns: eventColumns<Event>((event) => ({
        ...event,
        object: event.regarding,
        message: event.note,
        count: event.deprecatedCount,
        firstTimestamp: event.deprecatedFirstTimestamp,
        lastTimestamp: event.deprecatedLastTimestamp,
        component: event.deprecatedSource?.component || event.reportingController,
        instance: event.deprecatedSource?.host || event.reportingInstance,
      })),
    },
  ],
  storedAs: { definition: coreDefinition as unknown as KindDefinition, toStored, fromStored },
  selectableFields: (event) => ({
    'regarding.kind': event.regarding?.kind ?? '',
    'regarding.namespace': event.regarding?.namespace ?? '',
    'regarding.name': event.regarding?.name ?? '',
    'regarding.uid': event.regarding?.uid ?? '',
    reason: event.reason ?? '',
    reportingController: event.reportingController ?? '',
    type: event.type ?? '',
  }),
  validate: ({ action, reason, reportingController, reportingInstance, note = '' }, { operation }) =>
    operation === 'update'
      ? []
      : [
          ...requiredName('reportingController', reportingController, checkQualifiedName),
          ...requiredText('reportingInstance', reportingInstance),
          ...requiredText('action', action),
          ...requiredText('reason', reason),
          ...(Buffer.byteLength(note) > 1024 ? [fieldInvalid('message', '', 'can have at most 1024 characters')] : []),
        ],
});
export const events = resourceOf(eventDefinition);
