import { crc32 } from 'node:zlib';
import type { ConfigMap } from '#apis/core/v1/config-map.ts';
import { systemNamespace } from '#apis/dormouse/names.ts';
import { configTables } from '#apis/serving/config/tables.ts';

/** ConfigMaps that Knative has besides those with a table; their keys are kept and not read. */
const others = ['config-domain', 'config-logging', 'config-leader-election', 'config-tracing', 'config-certmanager'] as const;

/** The `config-*` maps of a new platform; `domain` becomes the default of config-domain. */
export function initialConfigMaps(domain: string): ConfigMap[] {
  const tabled = Object.entries(configTables).map(([name, table]) => configMap(name, exampleOf(table), {}));
  const rest = others.map((name) => configMap(name, exampleText(name), name === 'config-domain' ? { [domain]: '' } : {}));
  return [...tabled, ...rest];
}

/** Every key with its default, as comments people can copy from. */
function exampleOf(table: Readonly<Record<string, { readonly default: string }>>): string {
  const lines = Object.entries(table).map(([key, { default: value }]) => `${key}: ${JSON.stringify(value)}`);
  return ['# Keys of this map with their defaults. Copy a line to "data" to change it; this block itself is not read.', ...lines, ''].join(
    '\n',
  );
}

function exampleText(name: string): string {
  return name === 'config-domain'
    ? '# A domain, and optionally which routes it is for:\n# example.com: ""\n# example.org: |\n#   selector:\n#     app: prod\n'
    : `# ${name} is kept for compatibility; this platform reads nothing from it.\n`;
}

function configMap(name: string, example: string, data: Record<string, string>): ConfigMap {
  return {
    metadata: {
      name,
      namespace: systemNamespace,
      labels: { 'app.kubernetes.io/name': 'knative-serving', 'app.kubernetes.io/component': 'controller' },
      annotations: { [checksumAnnotation]: exampleChecksum(example) },
    },
    data: { _example: example, ...data },
  } as ConfigMap;
}

/**
 * Knative's checksum of an `_example` block: CRC-32 of the text without surrounding blanks, each run of line ends a backslash and an `n`
 * (`knative.dev/pkg/configmap.Checksum`).
 */
export function exampleChecksum(example: string): string {
  return crc32(example.trim().replaceAll(/(?:\r?\n)+/g, String.raw`\n`))
    .toString(16)
    .padStart(8, '0');
}

/** Whether the map says of its `_example` block what its checksum is. */
export function hasItsChecksum({ metadata, data }: ConfigMap): boolean {
  const example = data?.['_example'];
  const checksum = metadata.annotations?.[checksumAnnotation];
  return example === undefined || checksum === undefined || exampleChecksum(example) === checksum;
}

const checksumAnnotation = 'knative.dev/example-checksum';
