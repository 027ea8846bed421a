import {
  boolean,
  int64,
  list,
  listMap,
  listSet,
  map,
  object,
  protobufScalar,
  required,
  schemaName,
  string,
  time,
  anything,
  type Infer,
} from '#apis/schema.ts';

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1';

export const ownerReferenceSchema = object(
  `${meta}.OwnerReference`,
  {
    kind: [1, required(string({ default: '' }))],
    name: [3, required(string({ default: '' }))],
    uid: [4, required(string({ default: '' }))],
    apiVersion: [5, required(string({ default: '' }))],
    controller: [6, boolean()],
    blockOwnerDeletion: [7, boolean()],
  },
  { 'x-kubernetes-map-type': 'atomic' },
);
export type OwnerReference = Infer<typeof ownerReferenceSchema>;

export const managedFieldsEntrySchema = object(`${meta}.ManagedFieldsEntry`, {
  manager: [1, string()],
  operation: [2, string()],
  apiVersion: [3, string()],
  time: [4, time()],
  fieldsType: [6, string()],
  fieldsV1: [7, anything<Record<string, unknown>>({ type: 'object', [schemaName]: `${meta}.FieldsV1`, [protobufScalar]: 'fieldsV1' })],
  subresource: [8, string()],
});
export type ManagedFieldsEntry = Infer<typeof managedFieldsEntrySchema>;

export const objectMetaSchema = object(`${meta}.ObjectMeta`, {
  name: [1, string()],
  generateName: [2, string()],
  namespace: [3, string()],
  selfLink: [4, string()],
  uid: [5, string()],
  resourceVersion: [6, string()],
  generation: [7, int64()],
  creationTimestamp: [8, time()],
  deletionTimestamp: [9, time()],
  deletionGracePeriodSeconds: [10, int64()],
  labels: [11, map(string())],
  annotations: [12, map(string())],
  ownerReferences: [13, listMap(ownerReferenceSchema, ['uid'])],
  finalizers: [14, listSet(string(), { 'x-kubernetes-patch-strategy': 'merge' })],
  managedFields: [17, list(managedFieldsEntrySchema)],
});
export interface ObjectMeta extends Infer<typeof objectMetaSchema> {}

/** What every stored object has. `spec`, `status` and the rest come with the kind's own type. */
export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
}

export const conditionSchema = object(`${meta}.Condition`, {
  type: [1, required(string())],
  status: [2, required(string())],
  observedGeneration: [3, int64()],
  lastTransitionTime: [4, time()],
  reason: [5, string()],
  message: [6, string()],
});
export type Condition = Infer<typeof conditionSchema>;

export const labelSelectorRequirementSchema = object(`${meta}.LabelSelectorRequirement`, {
  key: [1, required(string())],
  operator: [2, required(string())],
  values: [3, list(string())],
});
export type LabelSelectorRequirement = Infer<typeof labelSelectorRequirementSchema>;

export const fieldSelectorRequirementSchema = object(`${meta}.FieldSelectorRequirement`, {
  key: [1, required(string())],
  operator: [2, required(string())],
  values: [3, list(string())],
});

export const labelSelectorSchema = object(
  `${meta}.LabelSelector`,
  { matchLabels: [1, map(string())], matchExpressions: [2, list(labelSelectorRequirementSchema)] },
  { 'x-kubernetes-map-type': 'atomic' },
);
export type LabelSelector = Infer<typeof labelSelectorSchema>;

export interface ListMeta {
  resourceVersion?: string;
  continue?: string;
  remainingItemCount?: number;
}

export interface ObjectList<T extends KubeObject> {
  apiVersion?: string;
  kind?: string;
  metadata: ListMeta;
  items: T[];
}

export type WatchEventType = 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';

/** Namespace and name of an object in one comparable string: `namespace/name` (cluster-scoped: `name`). */
export function objectKey(object: KubeObject): string {
  const { namespace, name = '' } = object.metadata;
  return namespace === undefined || namespace === '' ? name : `${namespace}/${name}`;
}

/** The owner that manages the object, if any. */
export function controllerOf(object: KubeObject): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find((owner) => owner.controller === true);
}
