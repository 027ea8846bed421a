import { fieldForbidden, fieldInvalid, fieldRequired, type FieldError } from '#apis/meta/field-error.ts';
import { checkDns1035Label, checkDns1123Subdomain, checkIP, checkPortName, checkWildcardSubdomain } from '#apis/meta/names.ts';
import { each, inRange, invalidFor, optionalName, requiredName, requiredText, type Errors } from '#apis/meta/validation.ts';
import type { HTTPIngressPath, IngressBackend, IngressSpec } from '#apis/networking/v1/ingress.ts';

/** Character sequences that proxies read in more than one way. */
const badSequences = ['//', '/./', '/../', '%2f', '%2F'];
const badEndings = ['/..', '/.'];

export function validateIngressSpec(spec: IngressSpec): Errors {
  const errors: FieldError[] = [];
  if ((spec.rules ?? []).length === 0 && spec.defaultBackend === undefined) {
    errors.push(fieldInvalid('spec', spec.rules ?? [], 'either `defaultBackend` or `rules` must be specified'));
  }
  if (spec.defaultBackend !== undefined) errors.push(...backendErrors(spec.defaultBackend, 'spec.defaultBackend'));
  errors.push(
    ...each(spec.rules, 'spec.rules', ({ host = '', http }, field) => [
      ...hostErrors(host, `${field}.host`),
      ...(http !== undefined && http.paths.length === 0 ? [fieldRequired(`${field}.http.paths`)] : []),
      ...each(http?.paths, `${field}.http.paths`, pathErrors),
    ]),
    ...each(spec.tls, 'spec.tls', ({ hosts, secretName }, field) => [
      ...each(hosts, `${field}.hosts`, (host, at) => nameErrors(host, at)),
      ...optionalName(`${field}.secretName`, secretName, checkDns1123Subdomain),
    ]),
    ...optionalName('spec.ingressClassName', spec.ingressClassName, checkDns1123Subdomain),
  );
  return errors;
}

function hostErrors(host: string, field: string): Errors {
  if (host === '') return [];
  if (checkIP(host).length === 0) return [fieldInvalid(field, host, 'must be a DNS name, not an IP address')];
  return nameErrors(host, field);
}

function nameErrors(host: string, field: string): Errors {
  return invalidFor(field, host, host.includes('*') ? checkWildcardSubdomain(host) : checkDns1123Subdomain(host));
}

function pathErrors({ path = '', pathType, backend }: HTTPIngressPath, at: string): Errors {
  const errors: FieldError[] = [];
  if (pathType !== 'ImplementationSpecific') {
    if (!path.startsWith('/')) errors.push(fieldInvalid(`${at}.path`, path, 'must be an absolute path'));
    for (const one of badSequences) if (path.includes(one)) errors.push(fieldInvalid(`${at}.path`, path, `must not contain '${one}'`));
    for (const one of badEndings) if (path.endsWith(one)) errors.push(fieldInvalid(`${at}.path`, path, `cannot end with '${one}'`));
  } else if (path !== '' && !path.startsWith('/')) errors.push(fieldInvalid(`${at}.path`, path, 'must be an absolute path'));
  return [...errors, ...backendErrors(backend, `${at}.backend`)];
}

function backendErrors({ service, resource }: IngressBackend, at: string): Errors {
  if (service !== undefined && resource !== undefined) {
    return [fieldInvalid(at, '', 'cannot set both resource and service backends')];
  }
  if (resource !== undefined)
    return [...requiredText(`${at}.resource.kind`, resource.kind), ...requiredText(`${at}.resource.name`, resource.name)];
  if (service === undefined) return [fieldRequired(`${at}.service.name`)];
  const { name: portName = '', number = 0 } = service.port ?? {};
  const errors: FieldError[] = [...requiredName(`${at}.service.name`, service.name, checkDns1035Label)];
  if (portName !== '' && number !== 0) errors.push(fieldInvalid(at, '', 'cannot set both port name & port number'));
  else if (portName !== '') errors.push(...invalidFor(`${at}.service.port.name`, portName, checkPortName(portName)));
  else if (number === 0) errors.push(fieldRequired(at, 'port name or number is required'));
  else errors.push(...inRange(`${at}.service.port.number`, number, 1, 65535));
  return errors;
}

/** An Ingress class goes in the annotation or in the spec, never in both. */
export function classAnnotationErrors(annotations: Readonly<Record<string, string>> = {}, className: string | undefined): Errors {
  const annotation = 'kubernetes.io/ingress.class';
  if (annotations[annotation] === undefined || className === undefined || annotations[annotation] === className) return [];
  return [fieldForbidden(`annotations.${annotation}`, 'must match `ingressClassName` when both are specified')];
}
