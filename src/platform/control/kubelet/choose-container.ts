import type { Pod } from '#apis/core/v1/pod.ts';
import { badRequest } from '#apis/meta/status.ts';

/** The container meant by `wanted`; with an empty name the only one. Throws 400 in kube-apiserver's words otherwise. */
export function chooseContainer(pod: Pod, wanted: string): string {
  const { name = '' } = pod.metadata;
  const containers = namesOf(pod.spec.containers);
  const init = namesOf(pod.spec.initContainers);
  const ephemeral = namesOf(pod.spec.ephemeralContainers);
  if (wanted !== '') {
    if ([...containers, ...init, ...ephemeral].includes(wanted)) return wanted;
    throw badRequest(`container ${wanted} is not valid for pod ${name}`);
  }
  const [only] = containers;
  if (only !== undefined && containers.length === 1) return only;
  const also = (kind: string, names: readonly string[]) =>
    names.length === 0 ? '' : ` or one of the ${kind} containers: [${names.join(' ')}]`;
  const choice =
    containers.length === 0 ? '' : `, choose one of: [${containers.join(' ')}]${also('init', init)}${also('ephemeral', ephemeral)}`;
  throw badRequest(`a container name must be specified for pod ${name}${choice}`);
}

function namesOf(containers: readonly { readonly name: string }[] | undefined): string[] {
  return (containers ?? []).map(({ name }) => name);
}
