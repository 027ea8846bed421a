import type { AccessRecord } from '#gateway/proxy/context.ts';

/** How finished requests are written down. `template` is Knative's `logging.request-log-template`: fields in `{{…}}`. */
export interface AccessLogOptions {
  readonly format: 'json' | 'template';
  readonly template?: string;
  write(line: string): void;
}

type Render = (record: AccessRecord) => string;

const fields: Readonly<Record<string, Render>> = {
  'Request.Method': ({ method }) => method,
  'Request.RequestURI': ({ target }) => target,
  'Request.URL.Path': ({ target }) => target.replace(/\?.*$/s, ''),
  'Request.URL.RawQuery': ({ target }) => target.replace(/^[^?]*\??/, ''),
  'Request.Host': ({ host }) => host,
  'Request.RemoteAddr': ({ remote }) => remote,
  'Request.UserAgent': ({ userAgent }) => userAgent,
  'Request.Referer': (record) => valuesOf(record, 'referer')[0] ?? '',
  // Go's -1: not known beforehand.
  'Request.ContentLength': (record) => valuesOf(record, 'content-length')[0] ?? (hasChunks(record) ? '-1' : '0'),
  'Request.Proto': ({ proto }) => proto,
  'Response.Code': ({ status }) => String(status),
  'Response.Size': ({ responseBytes }) => String(responseBytes),
  'Response.Latency': ({ durationMs }) => (durationMs / 1000).toFixed(6),
  'Revision.Name': ({ revision }) => revision,
  'Revision.Namespace': ({ namespace }) => namespace,
  'Revision.Service': ({ service }) => service,
  'Revision.Configuration': ({ configuration }) => configuration,
  'Revision.PodName': ({ pod }) => pod.replace(/^.*\//, ''),
  'Revision.PodIP': ({ podIp }) => podIp,
  RequestId: ({ requestId }) => requestId,
  TraceID: ({ traceId }) => traceId,
};

/** The values of a field of the request as the client sent it; `name` in lower case. */
function valuesOf({ headLines }: AccessRecord, name: string): string[] {
  const lines = headLines.split('\r\n').map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line] as const);
  return lines.filter(([one]) => one === name).map(([one, line]) => line.slice(one.length + 1).trim());
}

const hasChunks = (record: AccessRecord): boolean => valuesOf(record, 'transfer-encoding').length > 0;

/** Field lines may hold secrets: they are for templates that ask for one by name. */
const asJson = (record: AccessRecord): string =>
  JSON.stringify({ ...record, headLines: undefined, time: new Date(record.time).toISOString() });

/** Makes the function a proxy calls for each request. An unknown field of a template is an error, told at once. */
export function accessLog(options: AccessLogOptions): (record: AccessRecord) => void {
  if (options.format === 'json') {
    return (record) => options.write(`${asJson(record)}\n`);
  }
  const render = compileTemplate(options.template ?? '');
  return (record) => options.write(`${render(record)}\n`);
}

/**
 * Understands `{{.Request.Method}}`, `{{index .Request.Header "Name"}}` and `{{.Request.Header.Get "Name"}}`, each with or without `js`
 * (escaped for JSON); other actions of Go templates are refused.
 */
function compileTemplate(template: string): Render {
  const parts = template.split(/\{\{-?\s*(.*?)\s*-?\}\}/s).map((part, index) => (index % 2 === 0 ? () => part : compileAction(part)));
  return (record) => parts.map((part) => part(record)).join('');
}

function compileAction(action: string): Render {
  const [, js, plain] = /^(js\s+)?\(?(.*?)\)?$/s.exec(action) as unknown as [string, string | undefined, string];
  const render = fieldOf(plain) ?? headerOf(plain);
  if (render === undefined) throw new Error(`request log template: {{${action}}} is not a known field`);
  return js === undefined ? render : (record) => JSON.stringify(render(record)).slice(1, -1);
}

function fieldOf(text: string): Render | undefined {
  return text.startsWith('.') ? fields[text.slice(1)] : undefined;
}

/** As Go prints them: all values in brackets, or the first alone. */
function headerOf(text: string): Render | undefined {
  const all = /^index \.Request\.Header "([^"]+)"$/.exec(text)?.[1]?.toLowerCase();
  if (all !== undefined) return (record) => `[${valuesOf(record, all).join(' ')}]`;
  const first = /^\.Request\.Header\.Get "([^"]+)"$/.exec(text)?.[1]?.toLowerCase();
  return first === undefined ? undefined : (record) => valuesOf(record, first)[0] ?? '';
}
