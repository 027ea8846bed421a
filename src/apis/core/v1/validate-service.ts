import type { Service, ServicePort, ServiceSpec } from '#apis/core/v1/service.ts';
import { portErrors } from '#apis/core/v1/validate-probe.ts';
import { fieldDuplicate, fieldForbidden, fieldInvalid, fieldRequired, type FieldError } from '#apis/meta/field-error.ts';
import { checkDns1123Label, checkDns1123Subdomain, checkIP } from '#apis/meta/names.ts';
import { each, inRange, invalidFor, labelErrors, requiredName, type Errors } from '#apis/meta/validation.ts';

const maxAffinitySeconds = 86_400;

/** Findings about a Service (k8s.io/kubernetes ValidateService), addresses and node ports as given or allocated. */
export function validateService({ spec }: Service): Errors {
  return [
    ...labelErrors('spec.selector', spec.selector),
    ...portsErrors(spec),
    ...typeErrors(spec),
    ...affinityErrors(spec),
    ...each(spec.externalIPs, 'spec.externalIPs', (address, field) => invalidFor(field, address, checkIP(address))),
    ...each(spec.clusterIPs, 'spec.clusterIPs', (address, field) =>
      address === 'None' ? [] : invalidFor(field, address, checkIP(address)),
    ),
    ...policyErrors(spec),
  ];
}

function portsErrors(spec: ServiceSpec): Errors {
  const { ports = [], type, clusterIP } = spec;
  if (ports.length === 0 && clusterIP !== 'None' && type !== 'ExternalName') return [fieldRequired('spec.ports')];
  const names = new Set<string>();
  const numbers = new Set<string>();
  return each(ports, 'spec.ports', (port, field) => {
    const { name = '', protocol = 'TCP', nodePort = 0 } = port;
    const errors: FieldError[] = [...nameErrors(name, names, ports.length > 1, field)];
    errors.push(...inRange(`${field}.port`, port.port, 1, 65535));
    if (port.targetPort !== undefined && port.targetPort !== '') errors.push(...portErrors(`${field}.targetPort`, port.targetPort));
    if (nodePort !== 0 && type !== 'NodePort' && type !== 'LoadBalancer') {
      errors.push(fieldForbidden(`${field}.nodePort`, `may not be used when \`type\` is '${type}'`));
    }
    const key = `${protocol}/${port.port}`;
    if (numbers.has(key)) errors.push(fieldDuplicate(field, duplicateValue(port)));
    numbers.add(key);
    return errors;
  });
}

function duplicateValue({ protocol, port }: ServicePort): unknown {
  return { protocol, port };
}

function nameErrors(name: string, names: Set<string>, needed: boolean, field: string): Errors {
  if (name === '') return needed ? [fieldRequired(`${field}.name`)] : [];
  const findings = invalidFor(`${field}.name`, name, checkDns1123Label(name));
  if (names.has(name)) return [...findings, fieldDuplicate(`${field}.name`, name)];
  names.add(name);
  return findings;
}

function typeErrors({ type, clusterIP = '', clusterIPs = [], externalName = '' }: ServiceSpec): Errors {
  if (type === 'ExternalName') {
    if (clusterIP !== '' || clusterIPs.length > 0) {
      return [fieldForbidden('spec.clusterIPs', "may not be set when `type` is 'ExternalName'")];
    }
    return requiredName('spec.externalName', externalName.replace(/\.$/, ''), checkDns1123Subdomain);
  }
  if (clusterIP !== 'None') return [];
  if (type === 'LoadBalancer') return [fieldInvalid('spec.clusterIPs[0]', 'None', "may not be set to 'None' for LoadBalancer services")];
  if (type === 'NodePort') return [fieldInvalid('spec.clusterIPs[0]', 'None', "may not be set to 'None' for NodePort services")];
  return [];
}

function affinityErrors({ sessionAffinity, sessionAffinityConfig }: ServiceSpec): Errors {
  const field = 'spec.sessionAffinityConfig';
  if (sessionAffinity !== 'ClientIP') {
    if (sessionAffinityConfig === undefined) return [];
    return [fieldForbidden(field, 'must not be set when session affinity is None')];
  }
  const seconds = sessionAffinityConfig?.clientIP?.timeoutSeconds;
  if (seconds === undefined) return [fieldRequired(`${field}.clientIP.timeoutSeconds`)];
  if (seconds > 0 && seconds <= maxAffinitySeconds) return [];
  const text = `must be greater than 0 and less than or equal to ${maxAffinitySeconds}`;
  return [fieldInvalid(`${field}.clientIP.timeoutSeconds`, seconds, text)];
}

function policyErrors({
  type,
  externalTrafficPolicy,
  externalIPs = [],
  allocateLoadBalancerNodePorts,
  loadBalancerClass,
}: ServiceSpec): Errors {
  const errors: FieldError[] = [];
  const external = type === 'NodePort' || type === 'LoadBalancer' || externalIPs.length > 0;
  if (externalTrafficPolicy !== undefined && !external) {
    errors.push(fieldInvalid('spec.externalTrafficPolicy', externalTrafficPolicy, 'may only be set for externally-accessible services'));
  }
  if (type !== 'LoadBalancer') {
    if (allocateLoadBalancerNodePorts !== undefined) {
      errors.push(fieldForbidden('spec.allocateLoadBalancerNodePorts', "may only be used when `type` is 'LoadBalancer'"));
    }
    if (loadBalancerClass !== undefined) {
      errors.push(fieldForbidden('spec.loadBalancerClass', "may only be used when `type` is 'LoadBalancer'"));
    }
  }
  return errors;
}

/** The address of a Service is kept for its life, unless it stops having one. */
export function validateServiceUpdate({ spec }: Service, { spec: old }: Service): Errors {
  if (spec.type === 'ExternalName' || old.type === 'ExternalName') return [];
  const before = old.clusterIP ?? '';
  if (before === '' || spec.clusterIP === before) return [];
  return [fieldInvalid('spec.clusterIPs[0]', [spec.clusterIP ?? ''], 'may not change once set')];
}
