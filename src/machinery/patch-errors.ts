import { badRequest, StatusError } from '#apis/meta/status.ts';

const rejected = 'the server rejected our request due to an error in our request';

/** 422 for a JSON patch that is well formed but does not fit the object. Kubernetes does not say why; here the cause knows. */
export function patchDoesNotApply(detail: string): StatusError {
  return new StatusError('Invalid', rejected, { details: {}, cause: new Error(detail) });
}

/** The same for a strategic merge patch. Kubernetes answers most of these with 500 and the bare detail. */
export function mergeDoesNotApply(detail: string): StatusError {
  return new StatusError('Invalid', `${rejected}: ${detail}`);
}

/** 400 for what is no patch of its kind. */
export function malformedPatch(detail: string): StatusError {
  return badRequest(detail);
}

/** 413 for a patch that asks for too much. */
export function patchTooLarge(detail: string): StatusError {
  return new StatusError('RequestEntityTooLarge', `Request entity too large: ${detail}`);
}
