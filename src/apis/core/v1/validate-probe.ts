import type { HTTPGetAction, LifecycleHandler, Probe } from '#apis/core/v1/probe.ts';
import { fieldForbidden, fieldInvalid, fieldRequired, type FieldError } from '#apis/meta/field-error.ts';
import { checkHttpHeaderName, checkPortName, checkPortNumber } from '#apis/meta/names.ts';
import { each, invalidFor, nonNegative, positive, requiredText, type Errors } from '#apis/meta/validation.ts';

export type ProbeKind = 'livenessProbe' | 'readinessProbe' | 'startupProbe';

/** Findings about a probe (k8s.io/kubernetes validateLivenessProbe and its siblings). */
export function validateProbe(probe: Probe | undefined, at: string, kind: ProbeKind, gracePeriodSeconds: number): Errors {
  if (probe === undefined) return [];
  const errors: FieldError[] = [...validateHandler(probe, at, gracePeriodSeconds)];
  for (const field of ['initialDelaySeconds', 'timeoutSeconds', 'periodSeconds', 'successThreshold', 'failureThreshold'] as const) {
    errors.push(...nonNegative(`${at}.${field}`, probe[field]));
  }
  const grace = probe.terminationGracePeriodSeconds;
  if (kind === 'readinessProbe') {
    if (grace !== undefined) {
      errors.push(fieldInvalid(`${at}.terminationGracePeriodSeconds`, grace, 'must not be set for readinessProbes'));
    }
    return errors;
  }
  errors.push(...positive(`${at}.terminationGracePeriodSeconds`, grace));
  if (probe.successThreshold !== 1) errors.push(fieldInvalid(`${at}.successThreshold`, probe.successThreshold ?? 0, 'must be 1'));
  return errors;
}

type Handler = LifecycleHandler & Pick<Probe, 'grpc'>;
const handlerTypes = ['exec', 'httpGet', 'tcpSocket', 'grpc', 'sleep'] as const;

/** Exactly one handler, and a valid one. */
export function validateHandler(handler: Handler, at: string, gracePeriodSeconds: number): Errors {
  const given = handlerTypes.filter((type) => handler[type] !== undefined);
  if (given.length === 0) return [fieldRequired(at, 'must specify a handler type')];
  const surplus = given.slice(1).map((type) => fieldForbidden(`${at}.${type}`, 'may not specify more than 1 handler type'));
  return [...surplus, ...handlerErrors(handler, at, gracePeriodSeconds)];
}

function handlerErrors({ exec, httpGet, tcpSocket, grpc, sleep }: Handler, at: string, gracePeriodSeconds: number): Errors {
  if (exec !== undefined) return (exec.command ?? []).length === 0 ? [fieldRequired(`${at}.exec.command`)] : [];
  if (httpGet !== undefined) return httpGetErrors(httpGet, `${at}.httpGet`);
  if (tcpSocket !== undefined) return portErrors(`${at}.tcpSocket.port`, tcpSocket.port);
  if (grpc !== undefined) return portErrors(`${at}.grpc.port`, grpc.port);
  if (sleep === undefined || (sleep.seconds >= 0 && sleep.seconds <= gracePeriodSeconds)) return [];
  const text = `must be non-negative and less than terminationGracePeriodSeconds (${gracePeriodSeconds})`;
  return [fieldInvalid(`${at}.sleep`, sleep.seconds, text)];
}

function httpGetErrors({ path, port, httpHeaders }: HTTPGetAction, at: string): Errors {
  return [
    ...requiredText(`${at}.path`, path),
    ...portErrors(`${at}.port`, port),
    ...each(httpHeaders, `${at}.httpHeaders`, ({ name }, header) => invalidFor(`${header}.name`, name, checkHttpHeaderName(name))),
  ];
}

/** A port number, or the name of a container port. */
export function portErrors(field: string, port: number | string): Errors {
  return invalidFor(field, port, typeof port === 'number' ? checkPortNumber(port) : checkPortName(port));
}
