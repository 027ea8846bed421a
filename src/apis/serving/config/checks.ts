import { parse } from 'yaml';
import { checkDns1123Subdomain, checkLabelValue, checkQualifiedName } from '#apis/meta/names.ts';
import { ConfigError, readConfig, refuse, type ConfigData, type ConfigOf } from '#apis/serving/config/config-map.ts';
import { configTables } from '#apis/serving/config/tables.ts';
import { containerName, domainName, tagName } from '#apis/serving/config/templates.ts';
import { checkLeaderElection, checkLogging, checkTelemetry } from '#apis/serving/config/unread-keys.ts';
import { formatGoDuration } from '#core/duration.ts';
import { errorText } from '#core/errors.ts';
import { GoTemplate } from '#core/go-template/template.ts';

/** What Knative's config webhook refuses beyond values that cannot be read, with its texts. */

type Tables = typeof configTables;
type Check<N extends keyof Tables> = (config: ConfigOf<Tables[N]>) => void;

/** Throws ConfigError when `data` is not acceptable for the ConfigMap `name`; names that are not known are free. */
export function checkConfigMap(name: string, data: ConfigData): void {
  unread[name]?.(data);
  if (name in configTables) readConfigMap(name as keyof Tables, data);
}

/** Maps, and keys of maps, that are looked at when they are written alone. */
const unread: Readonly<Record<string, (data: ConfigData) => void>> = {
  'config-domain': checkDomains,
  'config-leader-election': checkLeaderElection,
  'config-logging': checkLogging,
  'config-observability': checkTelemetry,
};

/** The values of a ConfigMap, all of them acceptable. Throws ConfigError. */
export function readConfigMap<N extends keyof Tables>(name: N, data: ConfigData | undefined): ConfigOf<Tables[N]> {
  try {
    const config = readConfig(configTables[name], data) as ConfigOf<Tables[N]>;
    (checks[name] as Check<N> | undefined)?.(config);
    return config;
  } catch (error) {
    const prefix = ['config-autoscaler', 'config-gc'].includes(name) ? 'failed to parse data: ' : '';
    if (error instanceof ConfigError && error.message.startsWith('failed to parse "')) throw new ConfigError(prefix + error.message);
    throw error;
  }
}

const shown = (ms: number): string => formatGoDuration(BigInt(Math.round(ms * 1e6)));
const isWholeSeconds = (ms: number): boolean => ms % 1000 === 0;
/** The least target there is. */
const targetMin = 0.01;

const checks: { readonly [N in keyof Tables]?: Check<N> } = {
  'config-autoscaler': checkAutoscaler,
  'config-defaults': checkDefaults,
  'config-deployment': checkDeployment,
  'config-gc': (config) => {
    const { 'min-non-active-revisions': min, 'max-non-active-revisions': max } = config;
    for (const key of ['retain-since-create-time', 'retain-since-last-active-time'] as const) {
      refuse([config[key] < 0, `failed to parse ${key}: must be non-negative`]);
    }
    refuse(
      [max < 0, `failed to parse max-non-active-revisions: strconv.ParseUint: parsing "${max}": invalid syntax`],
      [min < 0, `min-non-active-revisions must be non-negative, was: ${min}`],
      [min > max, `min-non-active-revisions(${min}) must be <= max-non-active-revisions(${max})`],
    );
  },
  'config-network': checkNetwork,
  'config-observability': ({ 'logging.request-log-template': template }) => tried(() => new GoTemplate('requestLog', template)),
};

function checkAutoscaler(config: ConfigOf<Tables['config-autoscaler']>): void {
  const fraction = config['container-concurrency-target-percentage'] / 100;
  const yields = fraction * config['container-concurrency-target-default'];
  const [grace, delay, retention] = [
    config['scale-to-zero-grace-period'],
    config['scale-down-delay'],
    config['scale-to-zero-pod-retention-period'],
  ];
  const [burst, window, panic] = [config['target-burst-capacity'], config['stable-window'], config['panic-window-percentage']];
  const { 'requests-per-second-target-default': rps, 'activator-capacity': capacity } = config;
  const { 'max-scale-up-rate': up, 'max-scale-down-rate': down } = config;
  refuse(
    [grace <= 0, `scale-to-zero-grace-period must be positive, was: ${shown(grace)}`],
    [delay < 0, `scale-down-delay cannot be negative, was: ${shown(delay)}`],
    [!isWholeSeconds(delay), `scale-down-delay = ${shown(delay)}, must be specified with at most second precision`],
    [retention < 0, `scale-to-zero-pod-retention-period cannot be negative, was: ${shown(retention)}`],
    [burst < 0 && burst !== -1, `target-burst-capacity must be either non-negative or -1 (for unlimited), was: ${burst.toFixed(6)}`],
    [
      fraction <= 0 || fraction > 1,
      `container-concurrency-target-percentage = ${fraction.toFixed(6)} is outside of valid range of (0, 100]`,
    ],
    [
      yields < targetMin,
      `container-concurrency-target-percentage and container-concurrency-target-default yield target concurrency of ${yields}, can't be less than ${targetMin}`,
    ],
    [rps < targetMin, `requests-per-second-target-default must be at least ${targetMin}, was: ${rps}`],
    [capacity < 1, `activator-capacity = ${capacity}, must be at least 1`],
    [up <= 1, `max-scale-up-rate = ${up}, must be greater than 1.0`],
    [down <= 1, `max-scale-down-rate = ${down}, must be greater than 1.0`],
    [window < 6000 || window > 3_600_000, `stable-window = ${shown(window)}, must be in [6s; 1h0m0s] range`],
    [!isWholeSeconds(window), `stable-window = ${shown(window)}, must be specified with at most second precision`],
    [panic < 1 || panic > 100, `panic-window-percentage = ${panic}, must be in [1, 100] interval`],
  );
  checkScales(config);
}

function checkScales(config: ConfigOf<Tables['config-autoscaler']>): void {
  const { 'initial-scale': initial, 'min-scale': min, 'max-scale': max, 'max-scale-limit': limit } = config;
  const least = limit > 0 ? 1 : 0;
  refuse(
    [
      initial < (config['allow-zero-initial-scale'] ? 0 : 1),
      `initial-scale = ${initial}, must be at least 0 (or at least 1 when allow-zero-initial-scale is false)`,
    ],
    [min < 0, `min-scale = ${min}, must be at least 0`],
    [max < least || (limit > 0 && max > limit), `max-scale = ${max}, must be in [${least}, max-scale-limit(${limit})] range`],
    [limit < 0, `max-scale-limit = ${limit}, must be at least 0`],
    [min > max && max > 0, `min-scale (${min}) must be less than max-scale (${max})`],
  );
}

function checkDefaults(config: ConfigOf<Tables['config-defaults']>): void {
  const { 'revision-timeout-seconds': timeout, 'max-revision-timeout-seconds': most } = config;
  const { 'container-concurrency': concurrency, 'container-concurrency-max-limit': limit } = config;
  const longer = (key: 'revision-response-start-timeout-seconds' | 'revision-idle-timeout-seconds') =>
    [
      config[key] > 0 && config[key] > timeout,
      `${key} (${config[key]}) cannot be greater than revision-timeout-seconds (${timeout})`,
    ] as const;
  refuse(
    [timeout > most, `revision-timeout-seconds (${timeout}) cannot be greater than max-revision-timeout-seconds (${most})`],
    longer('revision-response-start-timeout-seconds'),
    longer('revision-idle-timeout-seconds'),
    [limit < 1, `expected 1 <= ${limit} <= 2147483647: container-concurrency-max-limit`],
    [concurrency < 0 || concurrency > limit, `expected 0 <= ${concurrency} <= ${limit}: container-concurrency`],
  );
  for (const key of ['container-name-template', 'init-container-name-template'] as const) {
    tried(() => containerName(config[key], { metadata: {} }));
  }
}

function checkDeployment(config: ConfigOf<Tables['config-deployment']>): void {
  const { 'progress-deadline': deadline, 'digest-resolution-timeout': timeout, 'runtime-class-name': classes } = config;
  refuse(
    [deadline <= 0, `progress-deadline cannot be a non-positive duration, was ${shown(deadline)}`],
    [!isWholeSeconds(deadline), `progress-deadline must be rounded to a whole second, was: ${shown(deadline)}`],
    [timeout <= 0, `digest-resolution-timeout cannot be a non-positive duration, was ${shown(timeout)}`],
  );
  const format = 'runtime-class-name cannot be parsed, please check the format: ';
  for (const [name, value] of Object.entries(mappingOf(classes, format))) {
    const [warning] = checkDns1123Subdomain(name);
    refuse([warning !== undefined, `runtime-class-name ${name} selector not valid DNSSubdomain: [${warning}]`]);
    const wrong = selectorProblem(value, `${format}runtime-class-name ${name} is no selector`);
    refuse([wrong !== undefined, `runtime-class-name ${name} selector invalid: ${wrong}`]);
  }
}

function checkNetwork(config: ConfigOf<Tables['config-network']>): void {
  const { 'rollout-duration': rollout, 'namespace-wildcard-cert-selector': selector } = config;
  refuse([rollout < 0, `rollout-duration must be a positive integer, but was ${rollout}`]);
  mappingOf(selector, 'namespace-wildcard-cert-selector cannot be parsed: ');
  const sample = { metadata: { namespace: 'bar' } };
  const host = tried(() => domainName(config['domain-template'], sample, { name: 'foo', domain: 'baz.com' }));
  const slash = host.search(/[/?#]/);
  refuse(
    [slash === 0 || host === '', 'empty hostname'],
    [slash > 0, `domain template has url path: ${host.slice(slash)}`],
    [/[\s"<>^`{|}\\]/.test(host), `parse "https://${host}": invalid character in host name`],
  );
  tried(() => tagName(config['tag-template'], { name: 'foo', tag: 'v2' }));
}

/** Each domain's value is empty or a mapping with a selector. */
function checkDomains(data: ConfigData): void {
  for (const [domain, text] of Object.entries(data)) {
    if (domain === '_example') continue;
    selectorProblem(mappingOf(text, `${domain}: `), `${domain} has no selector of labels`);
  }
}

/** YAML that is empty or a mapping. */
function mappingOf(text: string, prefix: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = text.trim() === '' ? {} : (parse(text) ?? {});
  } catch (error) {
    throw new ConfigError(`${prefix}error converting YAML to JSON: yaml: ${errorText(error).split('\n')[0] ?? ''}`);
  }
  const kind = Array.isArray(value) ? 'array' : typeof value;
  if (kind === 'object') return value as Record<string, unknown>;
  throw new ConfigError(
    `${prefix}error unmarshaling JSON: while decoding JSON: json: cannot unmarshal ${kind === 'boolean' ? 'bool' : kind}`,
  );
}

/** What is wrong with the labels of `{selector: {…}}`; throws where it is nothing of the kind. */
function selectorProblem(value: unknown, otherwise: string): string | undefined {
  const selector = (value as { selector?: unknown } | null)?.selector ?? {};
  const isMap = typeof selector === 'object' && !Array.isArray(selector);
  refuse([!isMap || Object.values(selector).some((one) => typeof one !== 'string'), otherwise]);
  return Object.entries(selector as Record<string, string>)
    .flatMap(([key, text]) => [...checkQualifiedName(key), ...checkLabelValue(text)])
    .at(0);
}

/** What a template says when it cannot be used is the message. */
function tried<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new ConfigError(errorText(error));
  }
}
