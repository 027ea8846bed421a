import { fieldValue } from '#gateway/http/head.ts';
import type { RequestHead } from '#gateway/http/request-head.ts';
import type { AccessRecord } from '#gateway/proxy/context.ts';

export type RequestDescription = Pick<
  AccessRecord,
  'remote' | 'proto' | 'method' | 'target' | 'host' | 'userAgent' | 'requestId' | 'traceId' | 'headLines'
>;

/** What the access log says about a request. Costs strings, so it is only called when there is a log. */
export function describeRequest(bytes: Buffer, head: RequestHead, remote: string, version: 1 | 2): RequestDescription {
  return {
    remote,
    proto: version === 2 ? 'HTTP/2.0' : `HTTP/1.${head.minor}`,
    method: bytes.toString('latin1', head.start, head.methodEnd),
    target: bytes.toString('latin1', head.targetStart, head.targetEnd),
    host: head.hostStart < 0 ? '' : bytes.toString('latin1', head.hostStart, head.hostEnd),
    userAgent: fieldValue(bytes, head, 'user-agent') ?? '',
    requestId: fieldValue(bytes, head, 'x-request-id') ?? '',
    headLines: bytes.toString('latin1', head.fields, head.end),
    traceId: fieldValue(bytes, head, 'traceparent')?.split('-')[1] ?? '',
  };
}
