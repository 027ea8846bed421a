import type { ConfigMap } from '#apis/core/v1/config-map.ts';
import { systemNamespace } from '#apis/dormouse/names.ts';
import { deniedWith } from '#apis/knative/field-error.ts';
import { ConfigError } from '#apis/serving/config/config-map.ts';
import { checkConfigMap } from '#apis/serving/config/checks.ts';
import type { AdmissionPlugin } from '#apiserver/admission/admission.ts';
import { hasItsChecksum } from '#platform/control/bootstrap/config-maps.ts';

const webhook = 'config.webhook.serving.knative.dev';

/** Knative's webhook for its configuration: values that cannot be used are refused, and so are edits of the `_example` block. */
export const configWebhook: AdmissionPlugin = {
  name: webhook,
  check({ operation, served, object }) {
    if (operation === 'delete' || served.definition.kind !== 'ConfigMap' || served.definition.group !== '') return;
    const { metadata, data = {} } = object as ConfigMap;
    if (metadata.namespace !== systemNamespace || metadata.name === undefined) return;
    const { _example: _, ...values } = data;
    if (!hasItsChecksum(object as ConfigMap)) {
      throw deniedWith(
        webhook,
        `validation failed: the update modifies a key in "_example" which is probably not what you want. Instead, copy the respective setting to the top-level of the ConfigMap, directly below "data"`,
      );
    }
    try {
      checkConfigMap(metadata.name, values);
    } catch (error) {
      if (error instanceof ConfigError) throw deniedWith(webhook, `validation failed: ${error.message}`);
      throw error;
    }
  },
};
