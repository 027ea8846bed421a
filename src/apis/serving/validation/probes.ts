import {
  generic,
  invalidValue,
  missingOneOf,
  multipleOneOf,
  outOfBounds,
  disallowedFields,
  viaField,
  type Finding,
} from '#apis/knative/field-error.ts';
import type { Container, Probe } from '#apis/core/v1/container.ts';

const maxInt32 = 2147483647;
const handlers = { httpGet: 'httpGet', tcpSocket: 'tcpSocket', exec: 'exec', grpc: 'gRPC' } as const;

/** Which container a probe belongs to: the one that gets the traffic (its port's name is known), or another. */
export type ProbeOwner = { readonly serving: true; readonly portName: string } | { readonly serving: false };

/** Findings about the three probes of a container. */
export function validateProbes(container: Container, owner: ProbeOwner): Finding[] {
  return [
    ...viaField('livenessProbe', validateProbe(container.livenessProbe, owner)),
    ...viaField('readinessProbe', validateReadinessProbe(container.readinessProbe, owner)),
    ...viaField('startupProbe', validateProbe(container.startupProbe, owner)),
  ];
}

/** A sidecar's probes where multi-container-probing is off: no field of them may be set. */
export function refuseProbes(container: Container): Finding[] {
  const named = ['livenessProbe', 'readinessProbe', 'startupProbe'] as const;
  return named.flatMap((name) => {
    const fields = Object.entries(container[name] ?? {}).filter(([, value]) => value !== undefined && value !== null && value !== 0);
    return fields.length === 0 ? [] : viaField(name, [disallowedFields(...fields.map(([key]) => key).toSorted())]);
  });
}

function validateReadinessProbe(probe: Probe | undefined, owner: ProbeOwner): Finding[] {
  if (probe === undefined) return [];
  const findings = validateProbe(probe, owner);
  const { periodSeconds = 0, initialDelaySeconds = 0, successThreshold = 0, failureThreshold = 0, timeoutSeconds = 0 } = probe;
  if (periodSeconds < 0) findings.push(outOfBounds(periodSeconds, 0, maxInt32, 'periodSeconds'));
  if (initialDelaySeconds < 0) findings.push(outOfBounds(initialDelaySeconds, 0, maxInt32, 'initialDelaySeconds'));
  if (successThreshold < 1) findings.push(outOfBounds(successThreshold, 1, maxInt32, 'successThreshold'));
  // A period of zero asks for Knative's own aggressive probing, which knows neither field.
  if (periodSeconds === 0) {
    if (failureThreshold !== 0) findings.push(generic('failureThreshold is disallowed when periodSeconds is zero', 'failureThreshold'));
    if (timeoutSeconds !== 0) findings.push(generic('timeoutSeconds is disallowed when periodSeconds is zero', 'timeoutSeconds'));
  } else {
    if (timeoutSeconds < 1) findings.push(outOfBounds(timeoutSeconds, 1, maxInt32, 'timeoutSeconds'));
    if (failureThreshold < 1) findings.push(outOfBounds(failureThreshold, 1, maxInt32, 'failureThreshold'));
  }
  return findings;
}

function validateProbe(probe: Probe | undefined, owner: ProbeOwner): Finding[] {
  if (probe === undefined) return [];
  const findings: Finding[] = [];
  const set = (Object.keys(handlers) as (keyof typeof handlers)[]).filter((name) => probe[name] !== undefined && probe[name] !== null);
  if (probe.httpGet) findings.push(...validatePort(probe.httpGet.port, 'httpGet.port', owner));
  if (probe.tcpSocket) findings.push(...validatePort(probe.tcpSocket.port, 'tcpSocket.port', owner));
  if (set.length === 0) findings.push(missingOneOf('httpGet', 'tcpSocket', 'exec', 'grpc'));
  if (set.length > 1) findings.push(multipleOneOf(...set.map((name) => handlers[name])));
  return findings;
}

function validatePort(port: number | string | undefined, path: string, owner: ProbeOwner): Finding[] {
  if (owner.serving) {
    const wrong = typeof port === 'string' && port !== '' && port !== owner.portName;
    return wrong ? [invalidValue(port, path, 'Probe port must match container port')] : [];
  }
  return port === undefined || port === '' || port === 0 ? [invalidValue(port ?? 0, path, 'Probe port must be specified')] : [];
}
