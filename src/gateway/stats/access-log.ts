import { GoTemplate } from '#core/go-template/template.ts';
import type { AccessRecord } from '#gateway/proxy/context.ts';

/** How finished requests are written down. `template` is Knative's `logging.request-log-template`, one of Go's templates. */
export interface AccessLogOptions {
  readonly format: 'json' | 'template';
  readonly template?: string;
  write(line: string): void;
}

/** The values of a field of the request as the client sent it; `name` in lower case. */
function valuesOf({ headLines }: AccessRecord, name: string): string[] {
  const lines = headLines.split('\r\n').map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line] as const);
  return lines.filter(([one]) => one === name).map(([one, line]) => line.slice(one.length + 1).trim());
}

const hasChunks = (record: AccessRecord): boolean => valuesOf(record, 'transfer-encoding').length > 0;

/** Field lines may hold secrets: they are for templates that ask for one by name. */
const asJson = (record: AccessRecord): string =>
  JSON.stringify({ ...record, headLines: undefined, time: new Date(record.time).toISOString() });

/** Makes the function a proxy calls for each request. A template with unknown fields is an error, told at once. */
export function accessLog(options: AccessLogOptions): (record: AccessRecord) => void {
  if (options.format === 'json') {
    return (record) => options.write(`${asJson(record)}\n`);
  }
  const template = new GoTemplate('requestLog', options.template ?? '');
  const input = new TemplateInput();
  template.execute(input.data, inputType);
  return (record) => {
    input.record = record;
    options.write(`${rendered(template, input)}\n`);
  };
}

const inputType = '*http.RequestLogTemplateInput';

/** What a template says of a request, or Knative's words where it fails on this one (another branch of it than that of other requests). */
function rendered(template: GoTemplate, { data, record }: TemplateInput): string {
  try {
    return template.execute(data, inputType);
  } catch {
    const { method, status, target } = record;
    return `Invalid request log template: method: ${method}, response code: ${status}, latency: ${latencyOf(record)}, url: ${target}`;
  }
}

const latencyOf = ({ durationMs }: AccessRecord): string => (durationMs / 1000).toFixed(6);

const nothing: AccessRecord = {
  time: 0,
  method: '',
  target: '',
  host: '',
  proto: '',
  remote: '',
  userAgent: '',
  headLines: '',
  status: 0,
  durationMs: 0,
  responseBytes: 0,
  namespace: '',
  revision: '',
  service: '',
  configuration: '',
  pod: '',
  podIp: '',
  requestId: '',
  traceId: '',
};

/** A request under the names templates know it by; one for all requests, so that only what a template asks for is worked out. */
class TemplateInput {
  record = nothing;
  readonly data = {
    Request: {
      Method: () => this.record.method,
      RequestURI: () => this.record.target,
      URL: {
        Path: () => this.record.target.replace(/\?.*$/s, ''),
        RawQuery: () => this.record.target.replace(/^[^?]*\??/, ''),
      },
      Host: () => this.record.host,
      RemoteAddr: () => this.record.remote,
      UserAgent: () => this.record.userAgent,
      Referer: () => this.#values('referer')[0] ?? '',
      // Go's -1: not known beforehand.
      ContentLength: () => this.#values('content-length')[0] ?? (hasChunks(this.record) ? '-1' : '0'),
      Proto: () => this.record.proto,
      Header: headerOf((name) => this.#values(name)),
    },
    Response: { Code: () => this.record.status, Size: () => this.record.responseBytes, Latency: () => latencyOf(this.record) },
    Revision: {
      Name: () => this.record.revision,
      Namespace: () => this.record.namespace,
      Service: () => this.record.service,
      Configuration: () => this.record.configuration,
      PodName: () => this.record.pod.replace(/^.*\//, ''),
      PodIP: () => this.record.podIp,
    },
    RequestId: () => this.record.requestId,
    TraceID: () => this.record.traceId,
  };

  #values(name: string): string[] {
    return valuesOf(this.record, name);
  }
}

/** Go's http.Header: `index` gives all values of a field, `.Get` the first. */
function headerOf(values: (name: string) => string[]): Map<string, string[]> {
  const header = new Map<string, string[]>();
  header.get = (name) => values(name.toLowerCase());
  return Object.assign(header, { Get: (name: string) => values(name.toLowerCase())[0] ?? '' });
}
