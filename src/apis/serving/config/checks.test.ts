import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { checkConfigMap, readConfigMap } from '#apis/serving/config/checks.ts';
import { ConfigError } from '#apis/serving/config/config-map.ts';

/** Map, keys as `key=value`, and Knative's text; '' where the values are taken. */
const cases: readonly [map: string, data: Readonly<Record<string, string>>, text: string][] = [
  [
    'autoscaler',
    { 'initial-scale': 'x' },
    'failed to parse data: failed to parse "initial-scale": strconv.ParseInt: parsing "x": invalid syntax',
  ],
  [
    'autoscaler',
    { 'min-scale': '3000000000' },
    'failed to parse data: failed to parse "min-scale": strconv.ParseInt: parsing "3000000000": value out of range',
  ],
  ['autoscaler', { 'stable-window': '60' }, 'failed to parse data: failed to parse "stable-window": time: missing unit in duration "60"'],
  ['autoscaler', { 'stable-window': '5s' }, 'stable-window = 5s, must be in [6s; 1h0m0s] range'],
  ['autoscaler', { 'stable-window': '6500ms' }, 'stable-window = 6.5s, must be specified with at most second precision'],
  ['autoscaler', { 'scale-to-zero-grace-period': '0s' }, 'scale-to-zero-grace-period must be positive, was: 0s'],
  ['autoscaler', { 'scale-down-delay': '-1s' }, 'scale-down-delay cannot be negative, was: -1s'],
  ['autoscaler', { 'scale-down-delay': '2h' }, ''],
  [
    'autoscaler',
    { 'target-burst-capacity': '-2' },
    'target-burst-capacity must be either non-negative or -1 (for unlimited), was: -2.000000',
  ],
  ['autoscaler', { 'container-concurrency-target-percentage': '0.5' }, ''],
  [
    'autoscaler',
    { 'container-concurrency-target-percentage': '110' },
    'container-concurrency-target-percentage = 1.100000 is outside of valid range of (0, 100]',
  ],
  [
    'autoscaler',
    { 'container-concurrency-target-default': '0.001' },
    "container-concurrency-target-percentage and container-concurrency-target-default yield target concurrency of 0.0007, can't be less than 0.01",
  ],
  ['autoscaler', { 'requests-per-second-target-default': '0' }, 'requests-per-second-target-default must be at least 0.01, was: 0'],
  ['autoscaler', { 'max-scale-up-rate': '1' }, 'max-scale-up-rate = 1, must be greater than 1.0'],
  ['autoscaler', { 'panic-window-percentage': '0.5' }, 'panic-window-percentage = 0.5, must be in [1, 100] interval'],
  ['autoscaler', { 'initial-scale': '0' }, 'initial-scale = 0, must be at least 0 (or at least 1 when allow-zero-initial-scale is false)'],
  ['autoscaler', { 'initial-scale': '0', 'allow-zero-initial-scale': 'true' }, ''],
  ['autoscaler', { 'max-scale-limit': '5' }, 'max-scale = 0, must be in [1, max-scale-limit(5)] range'],
  ['autoscaler', { 'min-scale': '3', 'max-scale': '2' }, 'min-scale (3) must be less than max-scale (2)'],
  [
    'defaults',
    { 'revision-timeout-seconds': '601' },
    'revision-timeout-seconds (601) cannot be greater than max-revision-timeout-seconds (600)',
  ],
  [
    'defaults',
    { 'revision-idle-timeout-seconds': '301' },
    'revision-idle-timeout-seconds (301) cannot be greater than revision-timeout-seconds (300)',
  ],
  ['defaults', { 'container-concurrency': '1001' }, 'expected 0 <= 1001 <= 1000: container-concurrency'],
  ['defaults', { 'container-concurrency-max-limit': '0' }, 'expected 1 <= 0 <= 2147483647: container-concurrency-max-limit'],
  ['defaults', { 'container-name-template': '{{.Name}}-{{.Namespace}}' }, ''],
  [
    'defaults',
    { 'container-name-template': '{{.Nope}}' },
    'template: container-template:1:2: executing "container-template" at <.Nope>: can\'t evaluate field Nope in type v1.ObjectMeta',
  ],
  ['deployment', { 'progress-deadline': '0s' }, 'progress-deadline cannot be a non-positive duration, was 0s'],
  ['deployment', { progressDeadline: '1.5s' }, 'progress-deadline must be rounded to a whole second, was: 1.5s'],
  ['deployment', { 'default-affinity-type': 'spread' }, 'unsupported default-affinity-type value: "spread"'],
  [
    'deployment',
    { 'runtime-class-name': 'just text' },
    'runtime-class-name cannot be parsed, please check the format: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal string',
  ],
  ['deployment', { 'runtime-class-name': 'kata: {selector: {kind: untrusted}}' }, ''],
  ['gc', { 'retain-since-create-time': '-1s' }, 'failed to parse retain-since-create-time: must be non-negative'],
  ['gc', { 'retain-since-create-time': 'Disabled', 'max-non-active-revisions': 'disabled' }, ''],
  [
    'gc',
    { 'min-non-active-revisions': '5', 'max-non-active-revisions': '4' },
    'min-non-active-revisions(5) must be <= max-non-active-revisions(4)',
  ],
  ['network', { 'http-protocol': 'gopher' }, 'httpProtocol gopher in config-network ConfigMap is not supported'],
  ['network', { 'system-internal-tls': 'x' }, 'system-internal-tls with value: "x" in config-network ConfigMap is not supported'],
  ['network', { 'rollout-duration': '-3' }, 'rollout-duration must be a positive integer, but was -3'],
  ['network', { 'domain-template': '{{.Name' }, 'template: domain-template:1: unclosed action'],
  ['network', { 'domain-template': '{{.Name}}/{{.Namespace}}' }, 'domain template has url path: /bar'],
  [
    'network',
    { 'domain-template': '{{.Foo}}' },
    'template: domain-template:1:2: executing "domain-template" at <.Foo>: can\'t evaluate field Foo in type config.DomainTemplateValues',
  ],
  ['network', { 'domain-template': '{{.Name}}.{{index .Annotations "sub"}}{{.Domain}}' }, ''],
  [
    'network',
    { 'tag-template': '{{.Domain}}' },
    'template: tag-template:1:2: executing "tag-template" at <.Domain>: can\'t evaluate field Domain in type config.TagTemplateValues',
  ],
  ['observability', { 'logging.request-log-template': '{{' }, 'template: requestLog:1: unclosed action'],
  ['observability', { 'metrics-protocol': 'prometheus', 'request-metrics-protocol': 'none', 'runtime-profiling': 'enabled' }, ''],
  ['observability', { 'metrics-protocol': 'statsd' }, 'unsupported protocol "statsd"'],
  ['observability', { 'request-metrics-protocol': 'grpc' }, 'endpoint should be set when protocol is "grpc"'],
  ['observability', { 'tracing-sampling-rate': '2' }, 'sampling rate 2.000000 should be less than or equal to one'],
  ['observability', { 'runtime-profiling': 'yes' }, 'unsupported profile setting "yes"'],
  ['leader-election', { buckets: '11' }, 'buckets: value must be between 1 <= 11 <= 10'],
  ['leader-election', { 'lease-duration': 'x' }, 'failed to parse "lease-duration": time: invalid duration "x"'],
  ['logging', { 'loglevel.controller': 'debug', 'zap-logger-config': '{}' }, ''],
  ['logging', { 'loglevel.controller': 'loud' }, 'invalid logging level: loud'],
  ['domain', { 'example.com': '', 'example.org': 'selector: {app: a}' }, ''],
  ['domain', { 'example.org': 'selector: [a]' }, 'example.org has no selector of labels'],
];

describe('the configuration maps', () => {
  for (const [map, data, text] of cases) {
    const shown = Object.entries(data).map(([key, value]) => `${key}: ${value}`);
    test(`config-${map} with ${shown.join(', ')} is ${text === '' ? 'taken' : 'refused'}`, () => {
      const check = () => checkConfigMap(`config-${map}`, data);
      if (text === '') check();
      else assert.throws(check, new ConfigError(text));
    });
  }

  test('a share of at most 1 is one of old, and older spellings of keys count where the new one is missing', () => {
    assert.equal(
      readConfigMap('config-autoscaler', { 'container-concurrency-target-percentage': '0.7' })['container-concurrency-target-percentage'],
      70,
    );
    assert.equal(readConfigMap('config-network', { rolloutDuration: '5' })['rollout-duration'], 5);
    assert.equal(readConfigMap('config-network', { rolloutDuration: '5', 'rollout-duration': '6' })['rollout-duration'], 6);
  });
});
