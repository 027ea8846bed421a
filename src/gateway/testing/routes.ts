import type { BackendConfig, PodConfig, RouteConfig, RuleConfig } from '#gateway/routes/route-config.ts';

/** A revision backend for tests, all limits off. */
export function testBackend(key: string, ports: readonly number[], more: Partial<BackendConfig> = {}): BackendConfig {
  return {
    key,
    namespace: 'default',
    name: key,
    isRevision: true,
    containerConcurrency: 0,
    timeoutMs: 30_000,
    responseStartTimeoutMs: 0,
    idleTimeoutMs: 0,
    pods: ports.map(testPod),
    ...more,
  };
}

export function testPod(port: number): PodConfig {
  return { key: `default/pod-${port}`, dial: { host: '127.0.0.1', port } };
}

/** An external rule that sends everything of `host` to one backend. */
export function testRule(host: string, backend: string, more: Partial<RuleConfig> = {}): RuleConfig {
  return { hosts: [host], visibility: 'external', paths: [{ splits: [{ backend, percent: 100 }] }], ...more };
}

/** One host, `app.test`, and one revision behind it. */
export function singleRoute(ports: readonly number[], more: Partial<BackendConfig> = {}): RouteConfig {
  return { rules: [testRule('app.test', 'app', {})], backends: [testBackend('app', ports, more)], certificates: [] };
}
