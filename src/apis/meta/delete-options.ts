import { boolean, int64, list, object, string, type Infer } from '#apis/schema.ts';

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1';

export const preconditionsSchema = object(`${meta}.Preconditions`, {
  uid: [1, string()],
  resourceVersion: [2, string()],
});
export interface Preconditions extends Infer<typeof preconditionsSchema> {}

export const deleteOptionsSchema = object(`${meta}.DeleteOptions`, {
  gracePeriodSeconds: [1, int64()],
  preconditions: [2, preconditionsSchema],
  orphanDependents: [3, boolean()],
  propagationPolicy: [4, string()],
  dryRun: [5, list(string())],
  ignoreStoreReadErrorWithClusterBreakingPotential: [6, boolean()],
});
export interface DeleteOptions extends Infer<typeof deleteOptionsSchema> {}
