import type { Column } from '#apis/definition.ts';
import { int64, list, map, object, required, string, time, type Infer } from '#apis/schema.ts';

const conditionSchema = object(null, {
  type: required(string()),
  status: required(string()),
  severity: string(),
  lastTransitionTime: time(),
  reason: string(),
  message: string(),
});
/** A condition of a Knative object; severity '' (absent) is an error, `Info` does not count for Ready. */
export type KnativeCondition = Infer<typeof conditionSchema>;

/** What the status of every Knative kind has. */
export const statusProperties = {
  observedGeneration: int64(),
  conditions: list(conditionSchema),
  annotations: map(string()),
} as const;

export interface KnativeStatus {
  observedGeneration?: number;
  conditions?: KnativeCondition[];
  annotations?: Record<string, string>;
}

export const addressSchema = object(null, {
  name: string(),
  url: string(),
  CACerts: string(),
  audience: string(),
});

/** `spec` of a column that shows a condition's field. */
export function conditionColumn(name: string, type: string, field: 'status' | 'reason'): Column {
  return { name, type: 'string', value: `.status.conditions[?(@.type=="${type}")].${field}` };
}

export const readyColumns: readonly Column[] = [conditionColumn('Ready', 'Ready', 'status'), conditionColumn('Reason', 'Ready', 'reason')];

export function conditionOf(object: { status?: KnativeStatus }, type: string): KnativeCondition | undefined {
  return object.status?.conditions?.find((condition) => condition.type === type);
}

/** Ready counts only when the controller has seen the newest spec (observedGeneration). */
export function isReady(object: { metadata: { generation?: number }; status?: KnativeStatus }): boolean {
  return object.status?.observedGeneration === object.metadata.generation && conditionOf(object, 'Ready')?.status === 'True';
}
