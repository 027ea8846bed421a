import { StatusError, type StatusReason } from '#apis/meta/status.ts';

/**
 * Failures of the API server itself, in Kubernetes' wording. Those about one object (NotFound, AlreadyExists, Conflict,
 * Invalid, Forbidden) are made in `#apis/meta`. `fault` says who has to act; `retriable` whether the same request may
 * succeed later.
 */
const table = {
  unauthorized: { reason: 'Unauthorized', fault: 'user', retriable: false, message: () => 'Unauthorized' },
  pathNotFound: { reason: 'NotFound', fault: 'user', retriable: false, message: () => 'the server could not find the requested resource' },
  methodNotAllowed: {
    reason: 'MethodNotAllowed',
    fault: 'user',
    retriable: false,
    message: () => 'the server does not allow this method on the requested resource',
  },
  notAcceptable: {
    reason: 'NotAcceptable',
    fault: 'user',
    retriable: false,
    message: (accepted: string) => `only the following media types are accepted: ${accepted}`,
  },
  unsupportedMediaType: {
    reason: 'UnsupportedMediaType',
    fault: 'user',
    retriable: false,
    message: (accepted: string) => `the body of the request was in an unknown format - accepted media types include: ${accepted}`,
  },
  tooLarge: {
    reason: 'RequestEntityTooLarge',
    fault: 'user',
    retriable: false,
    message: (limit: string) => `Request entity too large: limit is ${limit}`,
  },
  objectTooLarge: {
    reason: 'RequestEntityTooLarge',
    fault: 'user',
    retriable: false,
    message: (limit: string) => `etcdserver: request is too large: an object may have at most ${limit} bytes when stored`,
  },
  expired: {
    reason: 'Expired',
    fault: 'user',
    retriable: true,
    message: (detail: string) => `too old resource version: ${detail}`,
  },
  continueExpired: {
    reason: 'Expired',
    fault: 'user',
    retriable: true,
    message: () =>
      'The provided continue parameter is too old to display a consistent list result. You must start a new list without the continue parameter.',
  },
  futureVersion: {
    reason: 'Timeout',
    fault: 'user',
    retriable: true,
    message: (detail: string) => `Too large resource version: ${detail}`,
  },
  tooManyRequests: {
    reason: 'TooManyRequests',
    fault: 'user',
    retriable: true,
    message: () => 'Too many requests, please try again later.',
  },
  storageUnavailable: {
    reason: 'ServiceUnavailable',
    fault: 'system',
    retriable: true,
    message: (detail: string) => `storage is not available: ${detail}`,
  },
  notReady: { reason: 'ServiceUnavailable', fault: 'system', retriable: true, message: () => 'the API server is starting or stopping' },
  internal: {
    reason: 'InternalError',
    fault: 'system',
    retriable: true,
    message: (detail: string) => `Internal error occurred: ${detail}`,
  },
} as const satisfies Record<
  string,
  { reason: StatusReason; fault: 'user' | 'system'; retriable: boolean; message: (detail: string) => string }
>;

export type ApiErrorCode = keyof typeof table;

/** Every failure of the table, with its message where the detail stands as `…`; for the reference. */
export const apiFailures: readonly { readonly error: StatusError; readonly fault: 'user' | 'system'; readonly retriable: boolean }[] =
  Object.entries(table).map(([code, { fault, retriable }]) => ({ error: apiError(code as ApiErrorCode, '…'), fault, retriable }));

export function apiError(code: ApiErrorCode, detail = '', cause?: unknown): StatusError {
  const { reason, message } = table[code];
  return new StatusError(reason, message(detail), {
    ...(cause === undefined ? {} : { cause }),
    ...(code === 'tooManyRequests' ? { details: { retryAfterSeconds: 1 } } : {}),
    // Empty, but there: kubectl debug reads the details of a 404 without looking whether it has any.
    ...(code === 'pathNotFound' ? { details: {} } : {}),
  });
}

/** Why an update lost, as kubectl and client-go expect it. */
export const modifiedMessage = 'the object has been modified; please apply your changes to the latest version and try again';
