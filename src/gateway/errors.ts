/**
 * Every answer the gateway gives itself. `user`: the client's doing; `system`: ours or the container's. `retriable`: the same
 * request may succeed later. Texts that Knative's components answer with are kept word for word.
 */
export interface GatewayAnswer {
  readonly status: number;
  readonly reason: string;
  readonly body: string;
  readonly fault: 'user' | 'system';
  readonly retriable: boolean;
  readonly headers?: string;
}

const answer = (
  status: number,
  reason: string,
  body: string,
  fault: 'user' | 'system',
  retriable = false,
  headers?: string,
): GatewayAnswer => ({
  status,
  reason,
  body,
  fault,
  retriable,
  ...(headers === undefined ? {} : { headers }),
});

export const answers = {
  malformed: answer(400, 'Bad Request', 'malformed HTTP/1.1 request', 'user'),
  badBody: answer(400, 'Bad Request', 'malformed request body framing', 'user'),
  emptyProbeHash: answer(400, 'Bad Request', 'a probe request must contain a non-empty K-Network-Hash header', 'user'),
  noRoute: answer(404, 'Not Found', 'no service has this host and path', 'user'),
  connectMethod: answer(405, 'Method Not Allowed', 'CONNECT is not served', 'user'),
  slowHead: answer(408, 'Request Timeout', 'the request head took too long', 'user', true),
  slowBody: answer(408, 'Request Timeout', 'the request body took too long', 'user', true),
  targetTooLong: answer(414, 'URI Too Long', 'the request target is too long', 'user'),
  headTooLarge: answer(431, 'Request Header Fields Too Large', 'the request head is too large or has too many fields', 'user'),
  badCoding: answer(501, 'Not Implemented', 'this transfer coding is not supported; use chunked', 'user'),
  http2: answer(505, 'HTTP Version Not Supported', 'HTTP/2 begins with the connection, and over TLS by ALPN', 'user'),
  badVersion: answer(505, 'HTTP Version Not Supported', 'only HTTP/1.0 and HTTP/1.1 are served', 'user'),
  connectFailed: answer(502, 'Bad Gateway', 'no container of the revision accepts connections', 'system', true),
  upstreamClosed: answer(502, 'Bad Gateway', 'the container closed the connection without a response', 'system', true),
  upstreamMalformed: answer(502, 'Bad Gateway', 'the container sent a malformed response', 'system'),
  queueFull: answer(503, 'Service Unavailable', 'pending request queue full', 'system', true, 'Retry-After: 1\r\n'),
  noEndpoints: answer(503, 'Service Unavailable', 'the service has no ready endpoints', 'system', true, 'Retry-After: 1\r\n'),
  tooManyConnections: answer(503, 'Service Unavailable', 'too many connections', 'system', true, 'Retry-After: 1\r\n'),
  notReady: answer(503, 'Service Unavailable', 'not ready', 'system', true),
  waitTimeout: answer(504, 'Gateway Timeout', 'activator request timeout', 'system', true),
  requestTimeout: answer(504, 'Gateway Timeout', 'request timeout', 'system', true),
} as const satisfies Record<string, GatewayAnswer>;
