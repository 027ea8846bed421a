import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { createProxy } from '#gateway/gateway.ts';
import { exposeProxy, gatewayMetrics } from '#gateway/stats/exposition.ts';
import { singleRoute } from '#gateway/testing/routes.ts';

describe('metrics', () => {
  test('docs/reference/gateway-metrics.md lists exactly these, with type and meaning', () => {
    const text = readFileSync(new URL('../../../docs/reference/gateway-metrics.md', import.meta.url), 'utf8');
    const documented = [...text.matchAll(/^\| `(\w+)` \| (\w+) \| [^|]* \| (.*) \|$/gm)].map(([, name, type, help]) => [name, type, help]);
    assert.deepEqual(
      documented,
      Object.values(gatewayMetrics).map(([name, type, help]) => [name, type, help]),
    );
  });

  test('the page is Prometheus text with cumulative buckets', async () => {
    const proxy = await createProxy(singleRoute([1]), { transport: 'net' });
    const backend = proxy.backends.get('app');
    backend?.latency.observe(1.5);
    backend?.latency.observe(700);
    const page = exposeProxy(proxy);
    for (const line of page.trimEnd().split('\n')) {
      assert.match(line, /^(# (HELP|TYPE) \w+ .+|\w+(\{(\w+="[^"]*",?)+\})? \d+(\.\d+)?)$/);
    }
    assert.match(page, /duration_seconds_bucket\{namespace="default",revision="app",le="0.001"\} 0\n/);
    assert.match(page, /duration_seconds_bucket\{namespace="default",revision="app",le="0.002"\} 1\n/);
    assert.match(page, /duration_seconds_bucket\{namespace="default",revision="app",le="\+Inf"\} 2\n/);
    assert.match(page, /duration_seconds_count\{namespace="default",revision="app"\} 2\n/);
  });
});
