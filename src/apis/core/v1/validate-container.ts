import type { Container, ContainerPort, VolumeMount } from '#apis/core/v1/container.ts';
import { validateEnv, validateEnvFrom } from '#apis/core/v1/validate-environment.ts';
import { validateHandler, validateProbe, type ProbeKind } from '#apis/core/v1/validate-probe.ts';
import { validateResources } from '#apis/core/v1/validate-resources.ts';
import { validateSecurityContext } from '#apis/core/v1/validate-security-context.ts';
import type { Volume } from '#apis/core/v1/volume.ts';
import {
  fieldDuplicate,
  fieldForbidden,
  fieldInvalid,
  fieldNotFound,
  fieldNotSupported,
  fieldRequired,
  type FieldError,
} from '#apis/meta/field-error.ts';
import { checkDns1123Label, checkPortName, rangeError } from '#apis/meta/names.ts';
import { each, inRange, requiredName, type Errors } from '#apis/meta/validation.ts';

/** What the findings about a container depend on. */
export interface PodSetting {
  readonly volumes: readonly Volume[];
  readonly hostNetwork: boolean;
  readonly gracePeriodSeconds: number;
}
type AnyContainer = Container & { readonly targetContainerName?: string };

const probeKinds: readonly ProbeKind[] = ['livenessProbe', 'readinessProbe', 'startupProbe'];

export function validateContainers(containers: readonly Container[] | undefined, at: string, setting: PodSetting): Errors {
  if (containers === undefined || containers.length === 0) return [fieldRequired(at)];
  const names = new Set<string>();
  const errors = each(containers, at, (container, field) => [
    ...commonErrors(container, field, setting),
    ...uniqueName(names, container.name, field),
    ...lifecycleErrors(container, field, setting),
    ...probeKinds.flatMap((kind) => validateProbe(container[kind], `${field}.${kind}`, kind, setting.gracePeriodSeconds)),
    ...(container.restartPolicy === undefined || container.restartPolicy === ''
      ? []
      : [fieldForbidden(`${field}.restartPolicy`, 'may not be set for non-init containers')]),
  ]);
  return [...errors, ...hostPortConflicts(containers, at)];
}

/** Init containers; those with restartPolicy Always are sidecars and may have probes and hooks. */
export function validateInitContainers(
  containers: readonly Container[] | undefined,
  others: readonly Container[],
  at: string,
  setting: PodSetting,
): Errors {
  const names = new Set(others.map(({ name }) => name));
  return each(containers, at, (container, field) => {
    const errors: FieldError[] = [...commonErrors(container, field, setting), ...uniqueName(names, container.name, field)];
    if (container.restartPolicy === 'Always') {
      errors.push(...lifecycleErrors(container, field, setting));
      for (const kind of probeKinds) errors.push(...validateProbe(container[kind], `${field}.${kind}`, kind, setting.gracePeriodSeconds));
      return errors;
    }
    if (container.restartPolicy !== undefined && container.restartPolicy !== '') {
      errors.push(fieldNotSupported(`${field}.restartPolicy`, container.restartPolicy, ['Always']));
    }
    for (const kind of ['lifecycle', ...probeKinds] as const) {
      if (container[kind] === undefined) continue;
      errors.push(fieldForbidden(`${field}.${kind}`, 'may not be set for init containers without restartPolicy=Always'));
    }
    return errors;
  });
}

function uniqueName(names: Set<string>, name: string, at: string): Errors {
  if (names.has(name)) return [fieldDuplicate(`${at}.name`, name)];
  names.add(name);
  return [];
}

/** What holds for every kind of container. */
export function commonErrors(container: AnyContainer, at: string, setting: PodSetting): Errors {
  const { name, image = '', ports, env, envFrom, volumeMounts, resources = {}, securityContext } = container;
  const errors: FieldError[] = [...requiredName(`${at}.name`, name, checkDns1123Label)];
  if (image === '') errors.push(fieldRequired(`${at}.image`));
  else if (image !== image.trim()) errors.push(fieldInvalid(`${at}.image`, image, 'must not have leading or trailing whitespace'));
  errors.push(...portsErrors(ports, `${at}.ports`, setting.hostNetwork));
  errors.push(...validateEnv(env, `${at}.env`), ...validateEnvFrom(envFrom, `${at}.envFrom`));
  errors.push(...mountErrors(volumeMounts, `${at}.volumeMounts`, setting.volumes, securityContext?.privileged === true));
  errors.push(...validateResources(resources, `${at}.resources`));
  if (securityContext !== undefined) errors.push(...validateSecurityContext(securityContext, `${at}.securityContext`));
  return errors;
}

function lifecycleErrors({ lifecycle }: Container, at: string, { gracePeriodSeconds }: PodSetting): Errors {
  const check = (hook: 'postStart' | 'preStop') => {
    const handler = lifecycle?.[hook];
    return handler === undefined ? [] : validateHandler(handler, `${at}.lifecycle.${hook}`, gracePeriodSeconds);
  };
  return [...check('postStart'), ...check('preStop')];
}

function portsErrors(ports: readonly ContainerPort[] | undefined, at: string, hostNetwork: boolean): Errors {
  const names = new Set<string>();
  return each(ports, at, ({ name = '', containerPort, hostPort = 0 }, field) => {
    const errors: FieldError[] = [];
    if (name !== '') {
      const findings = checkPortName(name);
      errors.push(...findings.map((text) => fieldInvalid(`${field}.name`, name, text)));
      if (findings.length === 0 && names.has(name)) errors.push(fieldDuplicate(`${field}.name`, name));
      names.add(name);
    }
    if (containerPort === 0) errors.push(fieldRequired(`${field}.containerPort`));
    else errors.push(...inRange(`${field}.containerPort`, containerPort, 1, 65535));
    if (hostPort !== 0) errors.push(...inRange(`${field}.hostPort`, hostPort, 1, 65535));
    if (hostNetwork && hostPort !== containerPort) {
      errors.push(fieldInvalid(`${field}.containerPort`, containerPort, 'must match `hostPort` when `hostNetwork` is true'));
    }
    return errors;
  });
}

function hostPortConflicts(containers: readonly Container[], at: string): Errors {
  const taken = new Set<string>();
  return each(containers, at, ({ ports }, container) =>
    each(ports, `${container}.ports`, ({ protocol = 'TCP', hostIP = '', hostPort = 0 }, field) => {
      if (hostPort === 0) return [];
      const key = `${protocol}/${hostIP}/${hostPort}`;
      if (taken.has(key)) return [fieldDuplicate(`${field}.hostPort`, key)];
      taken.add(key);
      return [];
    }),
  );
}

function mountErrors(mounts: readonly VolumeMount[] | undefined, at: string, volumes: readonly Volume[], privileged: boolean): Errors {
  const names = new Set(volumes.map(({ name }) => name));
  const paths = new Set<string>();
  return each(mounts, at, ({ name, mountPath, subPath = '', subPathExpr = '', mountPropagation }, field) => {
    const errors: FieldError[] = [];
    if (name === '') errors.push(fieldRequired(`${field}.name`));
    else if (!names.has(name)) errors.push(fieldNotFound(`${field}.name`, name));
    if (mountPath === '') errors.push(fieldRequired(`${field}.mountPath`));
    if (paths.has(mountPath)) errors.push(fieldInvalid(`${field}.mountPath`, mountPath, 'must be unique'));
    paths.add(mountPath);
    errors.push(...localPathErrors(`${field}.subPath`, subPath), ...localPathErrors(`${field}.subPathExpr`, subPathExpr));
    if (subPath !== '' && subPathExpr !== '') {
      errors.push(fieldInvalid(`${field}.subPathExpr`, subPathExpr, 'subPathExpr and subPath are mutually exclusive'));
    }
    if (mountPropagation === 'Bidirectional' && !privileged) {
      errors.push(
        fieldForbidden(`${field}.mountPropagation`, 'Bidirectional mount propagation is available only to privileged containers'),
      );
    }
    return errors;
  });
}

/** A path inside a volume: relative, and not out of it. */
export function localPathErrors(field: string, path: string): Errors {
  const errors: FieldError[] = [];
  if (path.startsWith('/')) errors.push(fieldInvalid(field, path, 'must be a relative path'));
  if (path.split('/').includes('..')) errors.push(fieldInvalid(field, path, "must not contain '..'"));
  return errors;
}

/** Seconds of an active deadline: at least one. */
export function deadlineErrors(field: string, seconds: number | undefined): Errors {
  const most = 2 ** 31 - 1;
  if (seconds === undefined || (seconds >= 1 && seconds <= most)) return [];
  return [fieldInvalid(field, seconds, rangeError(1, most))];
}
