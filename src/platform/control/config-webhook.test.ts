import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ConfigMap } from '#apis/core/v1/config-map.ts';
import type { AdmissionPlugin } from '#apiserver/admission/admission.ts';
import { exampleChecksum, initialConfigMaps } from '#platform/control/bootstrap/config-maps.ts';
import { configWebhook } from '#platform/control/config-webhook.ts';

type Attributes = Parameters<NonNullable<AdmissionPlugin['check']>>[0];
const check = (object: ConfigMap): void =>
  void configWebhook.check?.({
    operation: 'update',
    served: { definition: { kind: 'ConfigMap', group: '' } },
    object,
  } as unknown as Attributes);
const network = (change: Record<string, string>): ConfigMap => {
  const map = initialConfigMaps('example.com').find(({ metadata }) => metadata.name === 'config-network') as ConfigMap;
  return { ...map, data: { ...map.data, ...change } };
};

describe("the webhook of Knative's configuration", () => {
  test('takes what the platform starts with', () => {
    for (const map of initialConfigMaps('example.com')) check(map);
  });

  test('refuses an edit of the example block, not a lost line end or an empty line', () => {
    const example = network({}).data?.['_example'] ?? '';
    assert.throws(() => check(network({ _example: `${example}more: "1"` })), /the update modifies a key in "_example"/);
    check(network({ _example: `\n${example.replaceAll('\n', '\r\n\r\n')}\n` }));
  });

  test('refuses a value that cannot be used', () => {
    assert.throws(
      () => check(network({ 'http-protocol': 'gopher' })),
      /validation failed: httpProtocol gopher in config-network ConfigMap is not supported/,
    );
  });

  test('computes the checksums that stand in the maps of Knative', () => {
    // knative.dev/pkg/configmap.Checksum of the same texts.
    assert.equal(exampleChecksum('a: 1'), '4f780ba4');
    assert.equal(exampleChecksum('\n  a: 1\n\nb: 2\r\n'), '291caa88');
  });
});
