import { StatusError, type Status, type StatusReason } from '#apis/meta/status.ts';
import { errorText } from '#core/errors.ts';

/**
 * Failures this part makes itself; everything else is the server's own metav1.Status.
 *
 * | failure | reason | HTTP | whose fault | retriable |
 * |---|---|---|---|---|
 * | connectionFailed | ServiceUnavailable | 503 | system: server away or restarting | yes |
 * | requestTimedOut | Timeout | 504 | system | yes |
 * | answerTooLarge | RequestEntityTooLarge | 413 | user: ask for less (limit, selector) | no |
 * | notUnderstood | InternalError | 500 | system: something else answers on that address | yes |
 * | answerFailed | by code | as answered | as answered | by reason |
 */
export function connectionFailed(server: string, cause: unknown): StatusError {
  return new StatusError('ServiceUnavailable', `cannot reach the API server at ${server}: ${errorText(cause)}`, { cause });
}

export function requestTimedOut(what: string, timeoutMs: number): StatusError {
  return new StatusError('Timeout', `${what}: no answer within ${timeoutMs / 1000} s`);
}

export function answerTooLarge(what: string, limitBytes: number): StatusError {
  return new StatusError('RequestEntityTooLarge', `${what}: the answer is larger than ${limitBytes} bytes`);
}

export function notUnderstood(what: string, why: string, cause?: unknown): StatusError {
  return new StatusError('InternalError', `${what}: ${why}`, cause === undefined ? {} : { cause });
}

const reasonOfCode: Readonly<Record<number, StatusReason>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  406: 'NotAcceptable',
  409: 'Conflict',
  410: 'Gone',
  413: 'RequestEntityTooLarge',
  415: 'UnsupportedMediaType',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

/** The error of an answer with a failing code; `body` is parsed JSON or text. */
export function answerFailed(what: string, code: number, body: unknown): StatusError {
  if (isStatus(body)) return StatusError.from({ ...body, code: typeof body.code === 'number' ? body.code : code });
  const text = typeof body === 'string' ? body.trim().slice(0, 500) : '';
  return new StatusError(reasonOfCode[code] ?? '', text === '' ? `${what}: HTTP ${code}` : text, { code });
}

export function isStatus(value: unknown): value is Status {
  return typeof value === 'object' && value !== null && (value as { kind?: unknown }).kind === 'Status';
}

/** The same request may succeed later without anything being changed. */
export function isRetriable(error: unknown): boolean {
  return error instanceof StatusError && (error.code === 429 || error.code >= 500);
}

/** The asked-for resourceVersion is gone: list again. */
export function isExpired(error: unknown): boolean {
  return error instanceof StatusError && (error.code === 410 || error.reason === 'Expired' || error.reason === 'Gone');
}
