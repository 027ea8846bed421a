import { duration, float, integer, readConfig, refuse, text, type ConfigData } from '#apis/serving/config/config-map.ts';

/** Checks of what nothing here reads (how Knative's own processes log, measure and elect leaders): a mistake in it is told all the same. */

const exporters = ['grpc', 'http/protobuf'];

/** config-observability, beyond what the platform reads. Throws ConfigError. */
export function checkTelemetry(data: ConfigData): void {
  checkTracing(data);
  checkMetrics(data, '');
  const { 'runtime-profiling': profiling, 'runtime-export-interval': interval } = readConfig(
    { 'runtime-profiling': text('disabled'), 'runtime-export-interval': duration('15s') },
    data,
  );
  refuse(
    [!['enabled', 'disabled'].includes(profiling), `unsupported profile setting ${JSON.stringify(profiling)}`],
    [interval < 0, `export interval ${JSON.stringify(data['runtime-export-interval'])} should be greater than zero`],
  );
  checkMetrics(data, 'request-');
}

function checkMetrics(data: ConfigData, prefix: string): void {
  const { [`${prefix}metrics-protocol`]: protocol, [`${prefix}metrics-endpoint`]: endpoint } = readConfig(
    { [`${prefix}metrics-protocol`]: text('none'), [`${prefix}metrics-endpoint`]: text('') },
    data,
  ) as Record<string, string>;
  const key = `${prefix}metrics-export-interval`;
  const { [key]: interval = 0 } = readConfig({ [key]: duration('0s') }, data);
  const named = JSON.stringify(protocol);
  refuse(
    [exporters.includes(protocol ?? '') && endpoint === '', `endpoint should be set when protocol is ${named}`],
    [protocol === 'none' && endpoint !== '', `endpoint should not be set when protocol is ${named}`],
    [![...exporters, 'none', 'prometheus'].includes(protocol ?? ''), `unsupported protocol ${named}`],
    [interval < 0, `export interval ${JSON.stringify(data[key])} should be greater than zero`],
  );
}

function checkTracing(data: ConfigData): void {
  const config = readConfig({ 'tracing-protocol': text('none'), 'tracing-endpoint': text(''), 'tracing-sampling-rate': float(0) }, data);
  const { 'tracing-protocol': protocol, 'tracing-endpoint': endpoint, 'tracing-sampling-rate': rate } = config;
  const named = JSON.stringify(protocol);
  refuse(
    [exporters.includes(protocol) && endpoint === '', `endpoint should be set for protocol ${named}`],
    [['none', 'stdout'].includes(protocol) && endpoint !== '', "endpoint should not be set when protocol is 'none'"],
    [![...exporters, 'none', 'stdout'].includes(protocol), `unsupported protocol ${named}`],
    [rate < 0, `sampling rate ${rate.toFixed(6)} should be greater or equal to zero`],
    [rate > 1, `sampling rate ${rate.toFixed(6)} should be less than or equal to one`],
  );
}

const maxBuckets = 10;

/** config-leader-election. Throws ConfigError. */
export function checkLeaderElection(data: ConfigData): void {
  const times = { 'lease-duration': duration('60s'), 'renew-deadline': duration('40s'), 'retry-period': duration('10s') };
  const { buckets } = readConfig({ ...times, buckets: integer(1) }, data);
  refuse([buckets < 1 || buckets > maxBuckets, `buckets: value must be between 1 <= ${buckets} <= ${maxBuckets}`]);
}

const levels = ['debug', 'info', 'warn', 'error', 'dpanic', 'panic', 'fatal', ''];

/** config-logging. Throws ConfigError. */
export function checkLogging(data: ConfigData): void {
  for (const [key, value] of Object.entries(data)) {
    refuse([/^loglevel\../.test(key) && !levels.includes(value.toLowerCase()), `invalid logging level: ${value}`]);
  }
}
