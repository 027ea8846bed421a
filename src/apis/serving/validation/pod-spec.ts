import { generic, invalidValue, missingField, outOfBounds, viaField, viaIndex, type Finding } from '#apis/knative/field-error.ts';
import { imageReferenceError } from '#apis/knative/image-reference.ts';
import { checkDns1123Subdomain } from '#apis/meta/names.ts';
import type { Container } from '#apis/core/v1/container.ts';
import type { PodSpec } from '#apis/core/v1/pod-spec.ts';
import type { Volume } from '#apis/core/v1/volume.ts';
import type { FeaturesConfig } from '#apis/serving/config/tables.ts';
import {
  containerFields,
  disallowed,
  envFields,
  envSourceFields,
  podSecurityContextFields,
  podSpecFields,
  portFields,
  resourceFields,
  securityContextFields,
} from '#apis/serving/validation/allowed-fields.ts';
import { refuseProbes, validateProbes } from '#apis/serving/validation/probes.ts';
import { validateVolumeMounts, validateVolumes } from '#apis/serving/validation/volumes.ts';

const maxInt32 = 2147483647;
/** Ports Knative's sidecar listens on; kept reserved so that manifests stay portable. */
const reservedPorts = new Set([8012, 8013, 8022, 9090, 9091, 8008]);
const reservedEnv = new Set(['PORT', 'K_SERVICE', 'K_CONFIGURATION', 'K_REVISION']);
const portNames = new Set(['', 'h2c', 'http1']);

type Role = 'serving' | 'sidecar' | 'init';
interface Scope {
  readonly features: FeaturesConfig;
  readonly volumes: ReadonlyMap<string, Volume>;
  readonly portName: string;
}

/** Everything Knative checks in a revision's pod spec, paths relative to it. */
export function validatePodSpec(spec: PodSpec, features: FeaturesConfig): Finding[] {
  const containers = spec.containers ?? [];
  const initContainers = spec.initContainers ?? [];
  const mounted = new Set([...initContainers, ...containers].flatMap(({ volumeMounts = [] }) => volumeMounts.map(({ name }) => name)));
  const volumes = new Map((spec.volumes ?? []).map((volume) => [volume.name, volume] as const));
  const port = servingPort(containers);
  const scope: Scope = { features, volumes, portName: port.name };
  return [
    ...disallowed(spec, podSpecFields, features),
    ...(spec.automountServiceAccountToken === true ? [generic('must not set the field(s)', 'automountServiceAccountToken')] : []),
    ...viaField('securityContext', spec.securityContext ? validatePodSecurityContext(spec.securityContext, features) : []),
    ...validateVolumes(spec.volumes ?? [], mounted, features).map((finding) => prefixed('volumes', finding)),
    ...validateInitContainers(initContainers, containers, scope),
    ...viaField('containers[*]', port.findings),
    ...validateContainers(containers, scope),
    ...checkServiceAccount(spec.serviceAccountName ?? ''),
  ];
}

function prefixed(field: string, finding: Finding): Finding {
  return { ...finding, paths: finding.paths.map((path) => `${field}${path}`) };
}

function checkServiceAccount(name: string): Finding[] {
  if (name === '') return [];
  return checkDns1123Subdomain(name).map((detail) => invalidValue(name, 'serviceAccountName', detail));
}

function servingPort(containers: readonly Container[]): { name: string; findings: Finding[] } {
  const ports = containers.flatMap((container) => container.ports ?? []);
  const name = ports.at(-1)?.name ?? '';
  const findings: Finding[] = [];
  if (ports.length === 0 && containers.length > 1) findings.push(missingField('ports'));
  if (ports.length > 1) {
    findings.push({
      ...generic('more than one container port is set', 'ports'),
      details: 'Only a single port is allowed across all containers',
    });
  }
  return { name: name === '' ? 'http' : name, findings };
}

function validateContainers(containers: readonly Container[], scope: Scope): Finding[] {
  if (containers.length === 0) return [missingField('containers')];
  if (containers.length === 1) return viaIndex('containers', 0, validateContainer(containers[0] ?? ({} as Container), 'serving', scope));
  if (scope.features['multi-container'] !== 'Enabled')
    return [generic(`multi-container is off, but found ${containers.length} containers`)];
  const seen = new Set<string>();
  return containers.flatMap((container, index) => {
    const duplicate = seen.has(container.name) ? [generic(`duplicate container name ${JSON.stringify(container.name)}`, 'name')] : [];
    seen.add(container.name);
    const role = (container.ports ?? []).length === 0 ? 'sidecar' : 'serving';
    return viaIndex('containers', index, [...duplicate, ...validateContainer(container, role, scope)]);
  });
}

function validateInitContainers(init: readonly Container[], others: readonly Container[], scope: Scope): Finding[] {
  if (init.length === 0) return [];
  if (scope.features['kubernetes.podspec-init-containers'] !== 'Enabled') {
    return [generic(`pod spec support for init-containers is off, but found ${init.length} init containers`)];
  }
  const names = new Set(others.map(({ name }) => name));
  return init.flatMap((container, index) => {
    const findings: Finding[] = names.has(container.name)
      ? [generic(`duplicate container name ${JSON.stringify(container.name)}`, 'name')]
      : [];
    for (const field of ['livenessProbe', 'readinessProbe', 'startupProbe', 'lifecycle'] as const) {
      if (container[field]) findings.push(generic('field not allowed in an init container', field));
    }
    return viaIndex('initContainers', index, [...findings, ...validateContainer(container, 'init', scope)]);
  });
}

function validateContainer(container: Container, role: Role, scope: Scope): Finding[] {
  const { features } = scope;
  if (Object.keys(container).length === 0) return [missingField('')];
  return [
    ...(role === 'serving' ? validateProbes(container, { serving: true, portName: scope.portName }) : []),
    ...(role === 'sidecar' ? sidecarProbes(container, features) : []),
    ...disallowed(container, containerFields, features),
    ...(container.name === 'queue-proxy' ? [generic('"queue-proxy" is a reserved container name', 'name')] : []),
    ...validateEnv(container, role, features),
    ...validateEnvFrom(container),
    ...validateImage(container.image ?? ''),
    ...viaField('ports', validatePorts(container, role, features)),
    ...viaField('resources', container.resources ? disallowed(container.resources, resourceFields, features) : []),
    ...viaField('securityContext', container.securityContext ? validateSecurityContext(container.securityContext, features) : []),
    ...validateTerminationPolicy(container.terminationMessagePolicy ?? ''),
    ...validateVolumeMounts(container, scope.volumes, features),
  ];
}

function sidecarProbes(container: Container, features: FeaturesConfig): Finding[] {
  return features['multi-container-probing'] === 'Enabled' ? validateProbes(container, { serving: false }) : refuseProbes(container);
}

function validateTerminationPolicy(policy: string): Finding[] {
  return ['', 'File', 'FallbackToLogsOnError'].includes(policy) ? [] : [invalidValue(policy, 'terminationMessagePolicy')];
}

function validateImage(image: string): Finding[] {
  if (image === '') return [missingField('image')];
  const error = imageReferenceError(image);
  if (error === undefined) return [];
  return [{ message: 'Failed to parse image reference', paths: ['image'], details: `image: ${JSON.stringify(image)}, error: ${error}` }];
}

function validateEnv(container: Container, role: Role, features: FeaturesConfig): Finding[] {
  return (container.env ?? []).flatMap((variable, index) => {
    const findings = disallowed(variable, envFields, features);
    const name = variable.name ?? '';
    if (name === '') findings.push(missingField('name'));
    else if (reservedEnv.has(name) && !(name === 'PORT' && role !== 'serving')) {
      findings.push(generic(`${JSON.stringify(name)} is a reserved environment variable`, 'name'));
    }
    if (variable.valueFrom) findings.push(...viaField('valueFrom', disallowed(variable.valueFrom, envSourceFields, features)));
    return viaIndex('env', index, findings);
  });
}

function validateEnvFrom(container: Container): Finding[] {
  return (container.envFrom ?? []).flatMap(({ configMapRef, secretRef }) => {
    if (configMapRef && secretRef)
      return [{ message: 'expected exactly one, got both', paths: ['envFrom.configMapRef', 'envFrom.secretRef'] }];
    if (!configMapRef && !secretRef)
      return [{ message: 'expected exactly one, got neither', paths: ['envFrom.configMapRef', 'envFrom.secretRef'] }];
    return [];
  });
}

function validatePorts(container: Container, role: Role, features: FeaturesConfig): Finding[] {
  const ports = container.ports ?? [];
  return (role === 'init' ? ports : ports.slice(0, 1)).flatMap((port) => {
    const findings = disallowed(port, portFields, features);
    const number = port.containerPort ?? 0;
    if (reservedPorts.has(number)) {
      findings.push(
        invalidValue(`${number} is a reserved port`, 'containerPort', `${number} is a reserved port, please use a different value`),
      );
    }
    if (number < 0 || number > 65535) findings.push(outOfBounds(number, 0, 65535, 'containerPort'));
    if (role === 'init') return findings;
    if (port.protocol !== undefined && port.protocol !== 'TCP') findings.push(invalidValue(port.protocol, 'protocol'));
    if (!portNames.has(port.name ?? '')) {
      findings.push({ ...generic(`Port name ${port.name} is not allowed`, ''), details: "Name must be empty, or one of: 'h2c', 'http1'" });
    }
    return findings;
  });
}

function validateSecurityContext(context: NonNullable<Container['securityContext']>, features: FeaturesConfig): Finding[] {
  const findings = disallowed(context, securityContextFields, features);
  if (context.capabilities) {
    const add = context.capabilities.add ?? [];
    const onlyBind = features['secure-pod-defaults'] !== 'Disabled' && add.every((name) => name === 'NET_BIND_SERVICE');
    if (add.length > 0 && features['kubernetes.containerspec-addcapabilities'] === 'Disabled' && !onlyBind) {
      findings.push(generic('must not set the field(s)', 'capabilities.add'));
    }
  }
  return [...findings, ...idBounds(context, ['runAsUser', 'runAsGroup'])];
}

function validatePodSecurityContext(context: NonNullable<PodSpec['securityContext']>, features: FeaturesConfig): Finding[] {
  const groups = (context.supplementalGroups ?? []).flatMap((gid, index) =>
    gid < 0 || gid > maxInt32 ? [outOfBounds(gid, 0, maxInt32, `supplementalGroups[${index}]`)] : [],
  );
  return [
    ...disallowed(context, podSecurityContextFields, features),
    ...idBounds(context, ['runAsUser', 'runAsGroup', 'fsGroup']),
    ...groups,
  ];
}

function idBounds(context: object, fields: readonly string[]): Finding[] {
  return fields.flatMap((field) => {
    const id = (context as Readonly<Record<string, unknown>>)[field];
    return typeof id === 'number' && (id < 0 || id > maxInt32) ? [outOfBounds(id, 0, maxInt32, field)] : [];
  });
}
