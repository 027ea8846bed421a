import { badRequest, StatusError } from '#apis/meta/status.ts';

/** 422 for a patch that is well formed but does not fit the object. */
export function patchDoesNotApply(detail: string): StatusError {
  return new StatusError('Invalid', `the server rejected our request due to an error in our request: ${detail}`);
}

/** 400 for what is no patch of its kind. */
export function malformedPatch(detail: string): StatusError {
  return badRequest(detail);
}

/** 413 for a patch that asks for too much. */
export function patchTooLarge(detail: string): StatusError {
  return new StatusError('RequestEntityTooLarge', `Request entity too large: ${detail}`);
}
