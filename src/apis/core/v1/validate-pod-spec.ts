import type { PodDNSConfig, PodSpec, PodTemplateSpec } from '#apis/core/v1/pod-spec.ts';
import {
  commonErrors,
  deadlineErrors,
  validateContainers,
  validateInitContainers,
  type PodSetting,
} from '#apis/core/v1/validate-container.ts';
import { validateAffinity, validateTolerations, validateTopologySpread } from '#apis/core/v1/validate-scheduling.ts';
import { validatePodSecurityContext } from '#apis/core/v1/validate-security-context.ts';
import { validateVolumes } from '#apis/core/v1/validate-volumes.ts';
import { fieldDuplicate, fieldForbidden, fieldInvalid, fieldNotFound, fieldRequired, type FieldError } from '#apis/meta/field-error.ts';
import { checkDns1123Label, checkDns1123Subdomain, checkIP, checkQualifiedName } from '#apis/meta/names.ts';
import { annotationErrors } from '#apis/meta/validate-metadata.ts';
import {
  each,
  invalidFor,
  labelErrors,
  nonNegative,
  optionalName,
  requiredName,
  requiredText,
  type Errors,
} from '#apis/meta/validation.ts';

/** Findings about a pod spec, in a pod or a template (k8s.io/kubernetes ValidatePodSpec). */
export function validatePodSpec(spec: PodSpec, at: string): Errors {
  const setting: PodSetting = {
    volumes: spec.volumes ?? [],
    hostNetwork: spec.hostNetwork === true,
    gracePeriodSeconds: spec.terminationGracePeriodSeconds ?? 30,
  };
  return [
    ...validateVolumes(spec.volumes, `${at}.volumes`),
    ...validateContainers(spec.containers, `${at}.containers`, setting),
    ...validateInitContainers(spec.initContainers, spec.containers, `${at}.initContainers`, setting),
    ...ephemeralErrors(spec, `${at}.ephemeralContainers`, setting),
    ...placementErrors(spec, at),
    ...identityErrors(spec, at),
    ...dnsErrors(spec, at),
    ...deadlineErrors(`${at}.activeDeadlineSeconds`, spec.activeDeadlineSeconds),
    ...nonNegative(`${at}.terminationGracePeriodSeconds`, spec.terminationGracePeriodSeconds),
    ...(spec.securityContext === undefined ? [] : validatePodSecurityContext(spec.securityContext, `${at}.securityContext`)),
    ...(spec.shareProcessNamespace === true && spec.hostPID === true
      ? [fieldInvalid(`${at}.shareProcessNamespace`, true, 'ShareProcessNamespace and HostPID cannot both be enabled')]
      : []),
  ];
}

function ephemeralErrors({ ephemeralContainers, containers, initContainers = [] }: PodSpec, at: string, setting: PodSetting): Errors {
  const all = new Set([...containers, ...initContainers].map(({ name }) => name));
  const names = new Set(all);
  return each(ephemeralContainers, at, (container, field) => {
    const errors: FieldError[] = [...commonErrors(container, field, setting)];
    if (names.has(container.name)) errors.push(fieldDuplicate(`${field}.name`, container.name));
    names.add(container.name);
    for (const key of ['ports', 'livenessProbe', 'readinessProbe', 'startupProbe', 'lifecycle', 'resources'] as const) {
      if (Object.keys(container[key] ?? {}).length === 0) continue;
      errors.push(fieldForbidden(`${field}.${key}`, 'cannot be set for an Ephemeral Container'));
    }
    const target = container.targetContainerName ?? '';
    if (target !== '' && !all.has(target)) errors.push(fieldNotFound(`${field}.targetContainerName`, target));
    return errors;
  });
}

function placementErrors(spec: PodSpec, at: string): Errors {
  return [
    ...labelErrors(`${at}.nodeSelector`, spec.nodeSelector),
    ...optionalName(`${at}.nodeName`, spec.nodeName, checkDns1123Subdomain),
    ...validateAffinity(spec.affinity, `${at}.affinity`),
    ...validateTolerations(spec.tolerations, `${at}.tolerations`),
    ...validateTopologySpread(spec.topologySpreadConstraints, `${at}.topologySpreadConstraints`),
    ...each(spec.readinessGates, `${at}.readinessGates`, ({ conditionType }, field) =>
      invalidFor(`${field}.conditionType`, conditionType, checkQualifiedName(conditionType)),
    ),
    ...each(spec.schedulingGates, `${at}.schedulingGates`, ({ name }, field) => requiredName(`${field}.name`, name, checkQualifiedName)),
    ...optionalName(`${at}.priorityClassName`, spec.priorityClassName, checkDns1123Subdomain),
    ...optionalName(`${at}.runtimeClassName`, spec.runtimeClassName, checkDns1123Subdomain),
  ];
}

function identityErrors(spec: PodSpec, at: string): Errors {
  return [
    ...optionalName(`${at}.serviceAccountName`, spec.serviceAccountName, checkDns1123Subdomain),
    ...each(spec.imagePullSecrets, `${at}.imagePullSecrets`, ({ name }, field) => requiredText(`${field}.name`, name)),
    ...optionalName(`${at}.hostname`, spec.hostname, checkDns1123Label),
    ...optionalName(`${at}.subdomain`, spec.subdomain, checkDns1123Label),
    ...each(spec.hostAliases, `${at}.hostAliases`, ({ ip, hostnames }, field) => [
      ...invalidFor(`${field}.ip`, ip, checkIP(ip)),
      ...(hostnames ?? []).flatMap((name) => invalidFor(`${field}.hostnames`, name, checkDns1123Subdomain(name))),
    ]),
  ];
}

function dnsErrors({ dnsPolicy, dnsConfig }: PodSpec, at: string): Errors {
  const field = `${at}.dnsConfig`;
  if (dnsPolicy === 'None') {
    if (dnsConfig === undefined) return [fieldRequired(field, 'must provide `dnsConfig` when `dnsPolicy` is None')];
    if ((dnsConfig.nameservers ?? []).length === 0) {
      return [fieldRequired(`${field}.nameservers`, 'must provide at least one DNS nameserver when `dnsPolicy` is None')];
    }
  }
  return dnsConfig === undefined ? [] : dnsConfigErrors(dnsConfig, field);
}

function dnsConfigErrors({ nameservers = [], searches = [], options }: PodDNSConfig, at: string): Errors {
  const errors: FieldError[] = [];
  if (nameservers.length > 3) errors.push(fieldInvalid(`${at}.nameservers`, nameservers, 'must not have more than 3 nameservers'));
  errors.push(...each(nameservers, `${at}.nameservers`, (address, field) => invalidFor(field, address, checkIP(address))));
  if (searches.length > 32) errors.push(fieldInvalid(`${at}.searches`, searches, 'must not have more than 32 search paths'));
  errors.push(
    ...each(options, `${at}.options`, ({ name = '' }, field) => (name === '' ? [fieldRequired(field, 'must not be empty')] : [])),
  );
  return errors;
}

/** Findings about a pod template: labels, annotations, spec. */
export function validatePodTemplate({ metadata, spec }: PodTemplateSpec, at: string): Errors {
  return [
    ...labelErrors(`${at}.metadata.labels`, metadata?.labels),
    ...annotationErrors(`${at}.metadata.annotations`, metadata?.annotations),
    ...validatePodSpec(spec, `${at}.spec`),
    ...((spec.ephemeralContainers ?? []).length > 0
      ? [fieldForbidden(`${at}.spec.ephemeralContainers`, 'ephemeral containers not allowed in pod template')]
      : []),
  ];
}
