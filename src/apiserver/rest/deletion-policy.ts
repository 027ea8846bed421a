import type { Namespace } from '#apis/core/v1/namespace.ts';
import type { Pod } from '#apis/core/v1/pod.ts';
import { isFinished as hasEnded } from '#apis/core/v1/pod-state.ts';
import type { KindDefinition } from '#apis/definition.ts';
import type { DeleteOptions } from '#apis/meta/delete-options.ts';
import type { KubeObject } from '#apis/meta/object.ts';

export type Propagation = 'Background' | 'Foreground' | 'Orphan';

const orphanFinalizer = 'orphan';
const foregroundFinalizer = 'foregroundDeletion';
const defaultGraceSeconds = 30;

function isKind(definition: KindDefinition, group: string, plural: string): boolean {
  return definition.group === group && definition.plural === plural;
}

/**
 * Seconds until the object is really removed; undefined for kinds that go at once. Pods wait for their node to stop them,
 * unless no node has them or they have ended already.
 */
export function graceOf(definition: KindDefinition, object: KubeObject, options: DeleteOptions): number | undefined {
  if (!isKind(definition, '', 'pods')) return undefined;
  const pod = object as Partial<Pod>;
  if ((pod.spec?.nodeName ?? '') === '' || hasEnded(pod)) return 0;
  const asked = options.gracePeriodSeconds ?? pod.spec?.terminationGracePeriodSeconds ?? defaultGraceSeconds;
  return asked < 0 ? 1 : asked;
}

/** What happens to dependents: as asked, else by the finalizers that are there, else as the kind has it. */
export function propagationOf(definition: KindDefinition, object: KubeObject, options: DeleteOptions): Propagation {
  if (options.propagationPolicy !== undefined) return options.propagationPolicy as Propagation;
  if (options.orphanDependents !== undefined) return options.orphanDependents ? 'Orphan' : 'Background';
  const finalizers = object.metadata.finalizers ?? [];
  if (finalizers.includes(orphanFinalizer)) return 'Orphan';
  if (finalizers.includes(foregroundFinalizer)) return 'Foreground';
  return isKind(definition, 'batch', 'jobs') ? 'Orphan' : 'Background';
}

/** The object's finalizers with those of the propagation policy: the collector acts on them and takes them away. */
export function finalizersFor(object: KubeObject, propagation: Propagation): string[] {
  const others = (object.metadata.finalizers ?? []).filter((one) => one !== orphanFinalizer && one !== foregroundFinalizer);
  if (propagation === 'Orphan') return [...others, orphanFinalizer];
  return propagation === 'Foreground' ? [...others, foregroundFinalizer] : others;
}

/** Whether something still has to happen before the object may go, besides waiting out its grace period. */
export function isHeld(definition: KindDefinition, object: KubeObject): boolean {
  if ((object.metadata.finalizers ?? []).length > 0) return true;
  return isKind(definition, '', 'namespaces') && ((object as Namespace).spec?.finalizers ?? []).length > 0;
}

/** Whether an object on its way out has nothing left to wait for. */
export function isFinished(definition: KindDefinition, object: KubeObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds = 0 } = object.metadata;
  return deletionTimestamp !== undefined && deletionGracePeriodSeconds === 0 && !isHeld(definition, object);
}

/** Namespaces show that they are going. */
export function markTerminating(definition: KindDefinition, object: KubeObject): void {
  if (!isKind(definition, '', 'namespaces')) return;
  const namespace = object as KubeObject & { status?: { phase?: string } };
  namespace.status = { ...namespace.status, phase: 'Terminating' };
}
