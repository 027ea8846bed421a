const spec = {
  type: 'object',
  required: ['color'],
  'x-kubernetes-validations': [
    { rule: 'self.replicas <= self.limit', messageExpression: '"at most " + string(self.limit) + " replicas"', fieldPath: '.replicas' },
  ],
  properties: {
    color: {
      type: 'string',
      enum: ['red', 'green', 'blue'],
      'x-kubernetes-validations': [{ rule: 'self == oldSelf', message: 'color is immutable' }],
    },
    replicas: { type: 'integer', format: 'int32', minimum: 0, default: 1 },
    limit: { type: 'integer', default: 10 },
    notes: { type: 'string', maxLength: 20, nullable: true },
    size: { 'x-kubernetes-int-or-string': true, default: '50%' },
    box: {
      type: 'object',
      default: {},
      properties: { width: { type: 'integer', default: 4 } },
    },
    parts: {
      type: 'array',
      maxItems: 10,
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
      items: {
        type: 'object',
        required: ['name'],
        properties: { name: { type: 'string', pattern: '^[a-z]+$' }, count: { type: 'integer', default: 1 } },
      },
    },
    raw: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
  },
};

const status = {
  type: 'object',
  properties: {
    replicas: { type: 'integer' },
    selector: { type: 'string' },
    conditions: {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['type'],
      items: {
        type: 'object',
        required: ['type', 'status'],
        properties: { type: { type: 'string' }, status: { type: 'string', enum: ['True', 'False', 'Unknown'] } },
      },
    },
  },
};

/** A definition as a third party would ship it: two versions, defaults, pruning, rules, columns, selectable fields and subresources. */
export const widgetDefinition = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'widgets.factory.example.com' },
  spec: {
    group: 'factory.example.com',
    scope: 'Namespaced',
    names: {
      plural: 'widgets',
      singular: 'widget',
      kind: 'Widget',
      listKind: 'WidgetList',
      shortNames: ['wd'],
      categories: ['all', 'factory'],
    },
    conversion: { strategy: 'None' },
    versions: [version('v1beta1', false), version('v1', true)],
  },
};

function version(name: string, storage: boolean): object {
  return {
    name,
    served: true,
    storage,
    ...(storage ? {} : { deprecated: true, deprecationWarning: 'factory.example.com/v1beta1 Widget is going away; use v1' }),
    subresources: {
      status: {},
      scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas', labelSelectorPath: '.status.selector' },
    },
    additionalPrinterColumns: [
      { name: 'Color', type: 'string', jsonPath: '.spec.color' },
      { name: 'Wanted', type: 'integer', jsonPath: '.spec.replicas' },
      { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
      { name: 'Notes', type: 'string', jsonPath: '.spec.notes', priority: 1 },
      { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
    ],
    selectableFields: [{ jsonPath: '.spec.color' }],
    schema: { openAPIV3Schema: { type: 'object', required: ['spec'], properties: { spec, status } } },
  };
}
