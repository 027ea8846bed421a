import { configTables } from '#apis/serving/config/tables.ts';

const oneHop = 'There is no sidecar: the gateway does its part.';

const noSidecar = 'There is no sidecar that needs CPU and memory of its own.';

/** Keys that are checked and kept as Knative's webhook does, and that change nothing, each with the reason. */
export const withoutEffect: Readonly<Record<string, string>> = {
  'scale-to-zero-grace-period': 'Requests are held from the first moment: there is nothing to wait for before the last instance goes.',
  'queue-sidecar-image': oneHop,
  ...Object.fromEntries(
    ['cpu', 'memory', 'ephemeral-storage'].flatMap((resource) =>
      ['request', 'limit'].map((end) => [`queue-sidecar-${resource}-${end}`, noSidecar]),
    ),
  ),
  'queueproxy.mount-podinfo': 'There is no sidecar into which the pod’s annotations could be mounted.',
  'queueproxy.resource-defaults': noSidecar,
  'system-internal-tls': 'Requests between the gateway and pods stay on this machine, and no sidecar is there to decrypt them.',
  'logging.enable-var-log-collection': 'Output goes to `kubectl logs`.',
  'logging.enable-probe-request-log': 'Probes do not pass the gateway, whose requests are logged.',
};

/** Sections of docs/reference/knative-configuration.md: heading and rows of key, default and note. */
export function knativeConfiguration(): { readonly heading: string; readonly rows: readonly (readonly string[])[] }[] {
  return Object.entries(configTables).map(([name, table]) => ({
    heading: `## ${name}`,
    rows: Object.entries(table as Readonly<Record<string, { readonly default: string; readonly aliases?: readonly string[] }>>).map(
      ([key, { default: fallback, aliases = [] }]) => [`\`${key}\``, fallback === '' ? '' : `\`${fallback}\``, noteOf(key, aliases)],
    ),
  }));
}

function noteOf(key: string, aliases: readonly string[]): string {
  const effect = withoutEffect[key];
  const also = aliases.length === 0 ? '' : `Also ${aliases.map((alias) => `\`${alias}\``).join(', ')}.`;
  return [effect === undefined ? '' : `**No effect.** ${effect}`, also].filter((part) => part !== '').join(' ');
}
