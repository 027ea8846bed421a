import type { Container } from '#apis/core/v1/container.ts';
import type { EnvFromSource, EnvVar } from '#apis/core/v1/environment.ts';
import type { Pod } from '#apis/core/v1/pod.ts';
import { expandVariables } from '#node/environment/expand.ts';
import { fieldValue, resourceFieldValue, type PodAddresses } from '#node/environment/field-ref.ts';
import { serviceEnvironment } from '#node/environment/service-environment.ts';
import { errorText } from '#core/errors.ts';
import type { NodeFacts, PodEvents, PodSources } from '#node/sources.ts';

/** Something the container needs does not exist (yet): kubelet's CreateContainerConfigError; tried again later. */
export class ContainerConfigError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'ContainerConfigError';
  }
}

export interface EnvironmentInput {
  readonly pod: Pod;
  readonly container: Container;
  readonly addresses: PodAddresses;
  readonly node: NodeFacts;
  readonly sources: PodSources;
  readonly events: PodEvents;
}

/**
 * The container's environment: services < envFrom < env, `$(VAR)` expanded over what comes before. Throws
 * ContainerConfigError when a mandatory ConfigMap, Secret or key is missing; optional ones leave an event and go on.
 */
export async function resolveEnvironment(input: EnvironmentInput): Promise<Map<string, string>> {
  const { pod, container, sources } = input;
  const result = new Map<string, string>();
  for (const source of container.envFrom ?? []) await addEnvFrom(source, input, result);
  const services = serviceEnvironment(linkedServices(pod, sources));
  const lookup = (name: string) => result.get(name) ?? services.get(name);
  for (const variable of container.env ?? []) {
    const value = await variableValue(variable, input, lookup);
    if (value !== undefined) result.set(variable.name, value);
  }
  for (const [name, value] of services) if (!result.has(name)) result.set(name, value);
  return result;
}

/** The pod's namespace's services unless it opted out; the API server's own always. */
function linkedServices(pod: Pod, sources: PodSources) {
  const namespace = pod.metadata.namespace ?? '';
  const api = sources.services('default').filter((service) => service.metadata.name === 'kubernetes');
  if (pod.spec?.enableServiceLinks === false) return api;
  return [...api, ...sources.services(namespace)];
}

async function addEnvFrom(source: EnvFromSource, input: EnvironmentInput, result: Map<string, string>): Promise<void> {
  const { pod, container, events } = input;
  const kind = source.configMapRef === undefined ? 'Secret' : 'ConfigMap';
  const { name = '', optional = false } = source.configMapRef ?? source.secretRef ?? {};
  const data = await readData(kind, name, optional, input);
  if (data === undefined) return;
  const skipped: string[] = [];
  for (const [key, value] of Object.entries(data)) {
    const variable = `${source.prefix ?? ''}${key}`;
    // Any printable ASCII but `=` is a legal name since Kubernetes 1.32 (KEP-4369).
    if (/^[\x20-\x3c\x3e-\x7e]+$/.test(variable)) result.set(variable, value);
    else skipped.push(variable);
  }
  if (skipped.length === 0) return;
  const text = `Keys [${skipped.join(', ')}] from the EnvFrom ${kind === 'Secret' ? 'secret' : 'configMap'} ${pod.metadata.namespace}/${name} were skipped since they are considered invalid environment variable names.`;
  events.warning(pod, 'InvalidEnvironmentVariableNames', text, container.name);
}

async function variableValue(
  variable: EnvVar,
  input: EnvironmentInput,
  lookup: (name: string) => string | undefined,
): Promise<string | undefined> {
  const { pod, container, addresses, node } = input;
  const from = variable.valueFrom;
  if (from === undefined) return expandVariables(variable.value ?? '', lookup);
  if (from.fieldRef !== undefined) {
    const value = fieldValue(pod, from.fieldRef.fieldPath, addresses);
    if (value === undefined) throw new ContainerConfigError(`unsupported fieldPath: ${from.fieldRef.fieldPath}`);
    return value;
  }
  if (from.resourceFieldRef !== undefined) {
    const value = resourceFieldValue(pod, container, from.resourceFieldRef, node);
    if (value === undefined) throw new ContainerConfigError(`unsupported container resource : ${from.resourceFieldRef.resource}`);
    return value;
  }
  if (from.configMapKeyRef !== undefined) return keyValue('ConfigMap', from.configMapKeyRef, input);
  if (from.secretKeyRef !== undefined) return keyValue('Secret', from.secretKeyRef, input);
  throw new ContainerConfigError(`environment variable ${variable.name}: this kind of valueFrom is not supported`);
}

type Kind = 'ConfigMap' | 'Secret';

async function keyValue(
  kind: Kind,
  ref: { readonly name?: string; readonly key: string; readonly optional?: boolean },
  input: EnvironmentInput,
): Promise<string | undefined> {
  const { name = '', key, optional = false } = ref;
  const data = await readData(kind, name, optional, input);
  if (data === undefined) return undefined;
  const value = data[key];
  if (value !== undefined) return value;
  const { pod, container, events } = input;
  const message = `couldn't find key ${key} in ${kind} ${pod.metadata.namespace}/${name}`;
  events.warning(pod, `${optional ? 'Optional' : 'Mandatory'}${kind}KeyNotFound`, message, container.name);
  if (optional) return undefined;
  throw new ContainerConfigError(message);
}

/** The object's texts by key; undefined when it is optional and missing. */
async function readData(
  kind: Kind,
  name: string,
  optional: boolean,
  { pod, container, sources, events }: EnvironmentInput,
): Promise<Readonly<Record<string, string>> | undefined> {
  const namespace = pod.metadata.namespace ?? '';
  const level = optional ? 'Optional' : 'Mandatory';
  let data: Readonly<Record<string, string>> | undefined;
  try {
    data = await (kind === 'ConfigMap' ? configMapTexts(namespace, name, sources) : secretTexts(namespace, name, sources));
  } catch (error) {
    const message = `failed to read ${kind} ${namespace}/${name}: ${errorText(error)}`;
    events.warning(pod, `FailedToRead${level}${kind}`, message, container.name);
    if (optional) return undefined;
    throw new ContainerConfigError(message, error);
  }
  if (data !== undefined) return data;
  const message = `${kind.toLowerCase()} "${name}" not found`;
  events.warning(pod, `${level}${kind}NotFound`, message, container.name);
  if (optional) return undefined;
  throw new ContainerConfigError(message);
}

async function configMapTexts(namespace: string, name: string, sources: PodSources) {
  const configMap = await sources.configMap(namespace, name);
  return configMap === undefined ? undefined : (configMap.data ?? {});
}

async function secretTexts(namespace: string, name: string, sources: PodSources) {
  const secret = await sources.secret(namespace, name);
  if (secret === undefined) return undefined;
  return Object.fromEntries(Object.entries(secret.data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64').toString('utf8')]));
}
