import type { KubeObject } from '#apis/meta/object.ts';
import { ifThere } from '#apis/meta/status.ts';
import type { ResourceClient } from '#client/client.ts';
import { semanticEqual } from '#machinery/semantic-equality.ts';

type WithStatus = KubeObject & { status?: unknown };

/**
 * Writes what a reconcile changed in `status`, and nothing when it changed nothing that matters. The write carries the
 * resourceVersion the reconcile started from, so a status computed from an old state is refused (Conflict) rather than stored.
 * Resolves with the object that came out when something was written.
 */
export async function writeStatus<T extends KubeObject>(client: ResourceClient<T>, before: T, after: T): Promise<T | undefined> {
  const old = (before as WithStatus).status;
  const now = (after as WithStatus).status;
  if (semanticEqual(old, now)) return undefined;
  const { namespace, name = '', uid } = before.metadata;
  // A reconciler that has written the object itself may have noted the version that came out.
  const { resourceVersion } = after.metadata;
  const body = { metadata: { resourceVersion, uid }, status: now === undefined ? null : mergePatchOf(old ?? {}, now) };
  // Deleted meanwhile: there is nothing left to describe.
  return ifThere(client.patch(namespace, name, { type: 'merge', body }, { subresource: 'status' }));
}

/** The merge patch (RFC 7386) that turns `from` into `to`. */
function mergePatchOf(from: unknown, to: unknown): unknown {
  if (!isPlain(from) || !isPlain(to)) return to;
  const patch: Record<string, unknown> = {};
  for (const key of Object.keys(from)) if (to[key] === undefined) patch[key] = null;
  for (const [key, value] of Object.entries(to)) {
    if (value === undefined || semanticEqual(from[key], value)) continue;
    patch[key] = mergePatchOf(from[key] ?? {}, value);
  }
  return patch;
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
