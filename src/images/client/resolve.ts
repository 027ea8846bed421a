import { type ImageReference, parseImageReference } from '#apis/knative/image-reference.ts';
import { ImageError, type RegistryCredential } from '#apis/runtime/image-service.ts';
import { matchingCredentials } from '#apis/runtime/registry-credentials.ts';
import type { Clock } from '#core/clock.ts';
import { errorText } from '#core/errors.ts';
import { fullName } from '../names.ts';
import type { Agents } from './agents.ts';
import { RegistryClient, isRefusal } from './registry-client.ts';

export interface RegistryOptions {
  readonly clock: Clock;
  /** Base URLs asked before a registry itself, by the registry's host. */
  readonly mirrors: Readonly<Record<string, readonly string[]>>;
  readonly agents: Agents;
}

/** The digest that the reference's registry says it stands for; nothing but the registry is asked. Rejects with an ImageError. */
export async function resolveInRegistry(
  reference: string,
  credentials: readonly RegistryCredential[],
  options: RegistryOptions,
  signal: AbortSignal,
): Promise<string> {
  const parsed = parseImageReference(reference);
  try {
    return await admitted(parsed, credentials, options, signal, (client) => digestAt(client, parsed));
  } catch (error) {
    throw imageError(`failed to resolve reference "${fullName(parsed)}"`, error, signal);
  }
}

/** What the reference stands for at the registry of `client`. */
export function digestAt(client: RegistryClient, parsed: ImageReference): Promise<string> {
  return client.resolve(parsed.digest ?? parsed.tag ?? 'latest', fullName(parsed));
}

/** Does the work with the first of the fitting logins that is let in; without any, as nobody in particular. */
export async function admitted<T>(
  parsed: ImageReference,
  credentials: readonly RegistryCredential[],
  options: RegistryOptions,
  signal: AbortSignal,
  work: (client: RegistryClient) => Promise<T>,
): Promise<T> {
  const [last, ...others] = matchingCredentials(credentials, parsed).toReversed();
  for (const credential of others.toReversed()) {
    try {
      return await work(clientOf(parsed, credential, options, signal));
    } catch (error) {
      if (!isRefusal(error)) throw error;
    }
  }
  return work(clientOf(parsed, last, options, signal));
}

function clientOf(
  { registry, repository }: ImageReference,
  credential: RegistryCredential | undefined,
  { clock, mirrors, agents }: RegistryOptions,
  signal: AbortSignal,
): RegistryClient {
  const names = registry === 'index.docker.io' ? ['docker.io', 'index.docker.io'] : [registry];
  const own = [...names, '*'].flatMap((name) => mirrors[name] ?? []);
  return new RegistryClient({ registry, repository, mirrors: own, credential, agents, clock, signal });
}

/** The ImageError of a registry's refusal; an abort stays what it was. */
export function imageError(what: string, error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  return new ImageError('ErrImagePull', `${what}: ${errorText(error)}`, error);
}
