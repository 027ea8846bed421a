import type { AccessRecord } from '#gateway/proxy/context.ts';

/** How finished requests are written down. `template` is Knative's `logging.request-log-template`: fields in `{{…}}`. */
export interface AccessLogOptions {
  readonly format: 'json' | 'template';
  readonly template?: string;
  write(line: string): void;
}

const fields: Readonly<Record<string, (record: AccessRecord) => string>> = {
  'Request.Method': ({ method }) => method,
  'Request.RequestURI': ({ target }) => target,
  'Request.URL.Path': ({ target }) => target.replace(/\?.*$/s, ''),
  'Request.Host': ({ host }) => host,
  'Request.RemoteAddr': ({ remote }) => remote,
  'Request.UserAgent': ({ userAgent }) => userAgent,
  'Request.Proto': ({ proto }) => proto,
  'Response.Code': ({ status }) => String(status),
  'Response.Size': ({ responseBytes }) => String(responseBytes),
  'Response.Latency': ({ durationMs }) => (durationMs / 1000).toFixed(6),
  'Revision.Name': ({ revision }) => revision,
  'Revision.Namespace': ({ namespace }) => namespace,
  'Revision.PodName': ({ pod }) => pod.replace(/^.*\//, ''),
  RequestId: ({ requestId }) => requestId,
  TraceID: ({ traceId }) => traceId,
};

/** Makes the function a proxy calls for each request. An unknown field of a template is an error, told at once. */
export function accessLog(options: AccessLogOptions): (record: AccessRecord) => void {
  if (options.format === 'json') {
    return (record) => options.write(`${JSON.stringify({ ...record, time: new Date(record.time).toISOString() })}\n`);
  }
  const render = compileTemplate(options.template ?? '');
  return (record) => options.write(`${render(record)}\n`);
}

/** Understands `{{.Request.Method}}`, with or without `js` (escaped for JSON); other actions of Go templates are refused. */
function compileTemplate(template: string): (record: AccessRecord) => string {
  const parts = template.split(/\{\{\s*(.*?)\s*\}\}/s).map((part, index) => {
    if (index % 2 === 0) return () => part;
    const match = /^(js )?\s*\.([\w.]+)$/.exec(part);
    const field = fields[match?.[2] ?? ''];
    if (match === null || field === undefined) throw new Error(`request log template: {{${part}}} is not a known field`);
    return match[1] === undefined ? field : (record: AccessRecord) => JSON.stringify(field(record)).slice(1, -1);
  });
  return (record) => parts.map((part) => part(record)).join('');
}
