import type { AdmissionContext, Column, KindDefinition } from '#apis/definition.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import type { Schema } from '#apis/schema.ts';

/** Time of all requests of the tests below. */
export const testNow = '2026-01-02T03:04:05Z';

interface Refined {
  readonly object: Record<string, unknown> & KubeObject;
  /** `path: message` of every finding. */
  readonly errors: readonly string[];
}

/**
 * Takes an object through a definition as the API server does: schema defaults, preparation, defaults, validation. The object
 * has to fit the schema, whose own findings are tested with the schema machinery.
 */
export function refine<T extends KubeObject>(
  definition: KindDefinition<T>,
  given: unknown,
  context: Partial<AdmissionContext<T>> = {},
): Refined {
  const version = definition.versions[0];
  if (version === undefined) throw new Error(`${definition.kind} has no versions`);
  const object = structuredClone(given) as T;
  const full: AdmissionContext<T> = {
    operation: context.old === undefined ? 'create' : 'update',
    subresource: '',
    user: { username: 'jane', groups: ['system:authenticated'] },
    dryRun: false,
    now: testNow,
    config: () => undefined,
    warn: () => undefined,
    ...context,
  };
  fillDefaults(object, version.schema);
  definition.prepare?.(object, full);
  definition.default?.(object, full);
  const errors = (definition.validate?.(object, full) ?? []).map(({ field, message }) => `${field}: ${message}`);
  return { object: object as Refined['object'], errors };
}

/** Cells of `kubectl get` by column name. */
export function cells(columns: readonly Column[] | undefined, object: unknown, now = Date.parse(testNow)): Record<string, unknown> {
  return Object.fromEntries(
    (columns ?? []).map(({ name, value }) => [
      name,
      typeof value === 'string' ? value : (value as (one: unknown, at: number) => unknown)(object, now),
    ]),
  );
}

function fillDefaults(value: unknown, schema: Schema): void {
  if (Array.isArray(value)) {
    for (const item of value) fillDefaults(item, schema.items ?? {});
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  const record = value as Record<string, unknown>;
  for (const [key, child] of Object.entries(schema.properties ?? {})) {
    if (record[key] === undefined && child.default !== undefined) record[key] = structuredClone(child.default);
    fillDefaults(record[key], child);
  }
  if (typeof schema.additionalProperties !== 'object') return;
  for (const child of Object.values(record)) fillDefaults(child, schema.additionalProperties);
}
