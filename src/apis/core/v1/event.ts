import { eventColumns } from '#apis/core/v1/event-columns.ts';
import { objectReferenceSchema } from '#apis/core/v1/references.ts';
import { resourceOf } from '#apis/definition.ts';
import { defineBuiltin, kindSchema } from '#apis/meta/builtin.ts';
import { fieldInvalid } from '#apis/meta/field-error.ts';
import { int32, microTime, object, required, string, time, type Infer } from '#apis/schema.ts';

const core = 'io.k8s.api.core.v1';

export const eventSourceSchema = object(`${core}.EventSource`, {
  component: [1, string()],
  host: [2, string()],
});
export interface EventSource extends Infer<typeof eventSourceSchema> {}

export const eventSeriesSchema = object(`${core}.EventSeries`, {
  count: [1, int32()],
  lastObservedTime: [2, microTime()],
});
export interface EventSeries extends Infer<typeof eventSeriesSchema> {}

export const eventSchema = kindSchema(`${core}.Event`, {
  involvedObject: [2, required({ ...objectReferenceSchema, default: {} })],
  reason: [3, string()],
  message: [4, string()],
  source: [5, eventSourceSchema],
  firstTimestamp: [6, time()],
  lastTimestamp: [7, time()],
  count: [8, int32()],
  type: [9, string()],
  eventTime: [10, microTime()],
  series: [11, eventSeriesSchema],
  action: [12, string()],
  related: [13, objectReferenceSchema],
  reportingComponent: [14, string()],
  reportingInstance: [15, string()],
});
export interface Event extends Infer<typeof eventSchema> {}

export const eventDefinition = defineBuiltin<Event>({
  group: '',
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
        object: event.involvedObject,
        component: event.source?.component || event.reportingComponent,
        instance: event.source?.host || event.reportingInstance,
      })),
    },
  ],
  selectableFields: (event) => ({
    'involvedObject.kind': event.involvedObject.kind ?? '',
    'involvedObject.namespace': event.involvedObject.namespace ?? '',
    'involvedObject.name': event.involvedObject.name ?? '',
    'involvedObject.uid': event.involvedObject.uid ?? '',
    'involvedObject.apiVersion': event.involvedObject.apiVersion ?? '',
    'involvedObject.resourceVersion': event.involvedObject.resourceVersion ?? '',
    'involvedObject.fieldPath': event.involvedObject.fieldPath ?? '',
    reason: event.reason ?? '',
    reportingComponent: event.reportingComponent ?? '',
    source: event.source?.component || (event.reportingComponent ?? ''),
    type: event.type ?? '',
  }),
  validate: ({ metadata, involvedObject }) => {
    const namespace = involvedObject.namespace ?? '';
    if (namespace === metadata.namespace || (namespace === '' && metadata.namespace === 'default')) return [];
    const text = namespace === '' ? 'not allowed in namespace' : 'does not match event.namespace';
    return [fieldInvalid('involvedObject.namespace', namespace, text)];
  },
});
export const events = resourceOf(eventDefinition);
