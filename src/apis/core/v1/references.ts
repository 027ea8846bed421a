import { object, required, string, type Infer } from '#apis/schema.ts';

const core = 'io.k8s.api.core.v1';

export const localObjectReferenceSchema = object(
  `${core}.LocalObjectReference`,
  {
    name: [1, string()],
  },
  { 'x-kubernetes-map-type': 'atomic' },
);
export interface LocalObjectReference extends Infer<typeof localObjectReferenceSchema> {}

export const objectReferenceSchema = object(
  `${core}.ObjectReference`,
  {
    kind: [1, string()],
    namespace: [2, string()],
    name: [3, string()],
    uid: [4, string()],
    apiVersion: [5, string()],
    resourceVersion: [6, string()],
    fieldPath: [7, string()],
  },
  { 'x-kubernetes-map-type': 'atomic' },
);
export interface ObjectReference extends Infer<typeof objectReferenceSchema> {}

export const secretReferenceSchema = object(
  `${core}.SecretReference`,
  {
    name: [1, string()],
    namespace: [2, string()],
  },
  { 'x-kubernetes-map-type': 'atomic' },
);
export interface SecretReference extends Infer<typeof secretReferenceSchema> {}

export const typedLocalObjectReferenceSchema = object(
  `${core}.TypedLocalObjectReference`,
  {
    apiGroup: [1, string()],
    kind: [2, required(string())],
    name: [3, required(string())],
  },
  { 'x-kubernetes-map-type': 'atomic' },
);
export interface TypedLocalObjectReference extends Infer<typeof typedLocalObjectReferenceSchema> {}

export const typedObjectReferenceSchema = object(`${core}.TypedObjectReference`, {
  apiGroup: [1, string()],
  kind: [2, required(string())],
  name: [3, required(string())],
  namespace: [4, string()],
});
export interface TypedObjectReference extends Infer<typeof typedObjectReferenceSchema> {}
