import type { PodSpec } from '#apis/core/v1/pod-spec.ts';
import type { Toleration } from '#apis/core/v1/scheduling.ts';
import type { ObjectMeta } from '#apis/meta/object.ts';
import { jsonEqual } from '#apis/meta/equal.ts';
import { fieldForbidden, fieldInvalid, type FieldError } from '#apis/meta/field-error.ts';
import { each, type Errors } from '#apis/meta/validation.ts';

const updatable = [
  '`spec.containers[*].image`',
  '`spec.initContainers[*].image`',
  '`spec.activeDeadlineSeconds`',
  '`spec.tolerations` (only additions to existing tolerations)',
  '`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
].join(',');

/** What an update of a pod may change: images, a shorter deadline, further tolerations, fewer scheduling gates. */
export function validatePodUpdate(spec: PodSpec, old: PodSpec): Errors {
  if (spec.containers.length !== old.containers.length) {
    return [fieldForbidden('spec.containers', 'pod updates may not add or remove containers')];
  }
  if ((spec.initContainers ?? []).length !== (old.initContainers ?? []).length) {
    return [fieldForbidden('spec.initContainers', 'pod updates may not add or remove containers')];
  }
  const errors: FieldError[] = [
    ...deadlineErrors(spec.activeDeadlineSeconds, old.activeDeadlineSeconds),
    ...tolerationErrors(spec.tolerations ?? [], old.tolerations ?? []),
    ...gateErrors(spec, old),
  ];
  if (!jsonEqual(frozenPart(spec, old), old)) {
    errors.push(fieldForbidden('spec', `pod updates may not change fields other than ${updatable}\n${changedFields(spec, old)}`));
  }
  return errors;
}

/** What an update of a pod's ephemeral containers may do: add some. */
export function ephemeralUpdateErrors({ metadata, spec }: { metadata: ObjectMeta; spec: PodSpec }, old: PodSpec): Errors {
  const at = 'spec.ephemeralContainers';
  if (metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined) {
    return [fieldForbidden('', 'static pods do not support ephemeral containers')];
  }
  return (old.ephemeralContainers ?? []).flatMap((before) => {
    const now = spec.ephemeralContainers?.find(({ name }) => name === before.name);
    const refuse = (what: string) => [
      fieldForbidden(at, `existing ephemeral containers ${JSON.stringify(before.name)} may not be ${what}\n`),
    ];
    if (now === undefined) return refuse('removed');
    return jsonEqual(now, before) ? [] : refuse('changed');
  });
}

/** The new spec with everything updatable set back to what it was. */
function frozenPart(spec: PodSpec, old: PodSpec): unknown {
  const withImages = (list: PodSpec['containers'] | undefined, before: PodSpec['containers'] | undefined) =>
    list?.map((container, index) => ({ ...container, image: before?.[index]?.image }));
  const gated = (old.schedulingGates ?? []).length > 0;
  return {
    ...spec,
    containers: withImages(spec.containers, old.containers),
    initContainers: withImages(spec.initContainers, old.initContainers),
    activeDeadlineSeconds: old.activeDeadlineSeconds,
    tolerations: old.tolerations,
    schedulingGates: old.schedulingGates,
    ...(gated ? { nodeSelector: old.nodeSelector, affinity: old.affinity } : {}),
    ...((old.terminationGracePeriodSeconds ?? 0) < 0 && spec.terminationGracePeriodSeconds === 1
      ? { terminationGracePeriodSeconds: old.terminationGracePeriodSeconds }
      : {}),
  };
}

/** Names what differs, where Kubernetes shows a diff of its Go structs. */
function changedFields(spec: PodSpec, old: PodSpec): string {
  const before = old as unknown as Record<string, unknown>;
  const after = frozenPart(spec, old) as Record<string, unknown>;
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys]
    .filter((key) => !jsonEqual(before[key], after[key]))
    .map((key) => `  spec.${key}`)
    .join('\n');
}

function deadlineErrors(seconds: number | undefined, old: number | undefined): Errors {
  const field = 'spec.activeDeadlineSeconds';
  if (old === undefined || seconds === old) return [];
  if (seconds === undefined) return [fieldInvalid(field, null, 'must not update from a positive integer to nil value')];
  return seconds > old ? [fieldInvalid(field, seconds, 'must be less than or equal to previous value')] : [];
}

function tolerationErrors(tolerations: readonly Toleration[], old: readonly Toleration[]): Errors {
  const kept = old.every((before) => tolerations.some((one) => jsonEqual({ ...one, tolerationSeconds: before.tolerationSeconds }, before)));
  if (kept) return [];
  return [fieldForbidden('spec.tolerations', 'existing toleration can not be modified except its tolerationSeconds')];
}

function gateErrors(spec: PodSpec, old: PodSpec): Errors {
  const before = new Set((old.schedulingGates ?? []).map(({ name }) => name));
  return each(spec.schedulingGates, 'spec.schedulingGates', ({ name }, field) =>
    before.has(name) ? [] : [fieldForbidden(`${field}.name`, `only deletion is allowed, but found new scheduling gate '${name}'`)],
  );
}
