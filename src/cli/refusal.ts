import { StatusError } from '#apis/meta/status.ts';
import { ImageError } from '#apis/runtime/image-service.ts';
import { UserError } from '#core/errors.ts';

/** What to do about a name that is not there, by its kind as the API names it. */
const missing: Readonly<Record<string, (name: string) => string>> = {
  'services.serving.knative.dev': () => 'See which there are: dormouse services --all-namespaces',
  'revisions.serving.knative.dev': () => 'See which there are: dormouse revisions',
  namespaces: (name) => `Make it first: kubectl create namespace ${name}`,
};

/**
 * What the API or a registry refuses, or cannot do now, as a UserError: they say it in words for people. Undefined for anything
 * else, also for a 500, which is a fault.
 */
export function refusal(thrown: unknown): UserError | undefined {
  if (thrown instanceof ImageError) return new UserError(thrown.message, { cause: thrown });
  if (!(thrown instanceof StatusError) || thrown.code === 500) return undefined;
  const { kind = '', group = '', name = '' } = thrown.details ?? {};
  const hint = thrown.reason === 'NotFound' ? missing[group === '' ? kind : `${kind}.${group}`]?.(name) : undefined;
  return new UserError(thrown.message, { cause: thrown, ...(hint === undefined ? {} : { hint }) });
}
