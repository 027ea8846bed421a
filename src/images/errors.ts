/**
 * The distribution specification's error codes with their HTTP status; what the store and the registry refuse. A client of the
 * management interface sees the same with `kind: user`.
 */
export const imageFaults = {
  BLOB_UNKNOWN: { status: 404, text: 'blob unknown to registry' },
  BLOB_UPLOAD_INVALID: { status: 416, text: 'blob upload invalid' },
  BLOB_UPLOAD_UNKNOWN: { status: 404, text: 'blob upload unknown to registry' },
  DIGEST_INVALID: { status: 400, text: 'provided digest did not match uploaded content' },
  MANIFEST_BLOB_UNKNOWN: { status: 404, text: 'blob unknown to registry' },
  MANIFEST_INVALID: { status: 400, text: 'manifest invalid' },
  MANIFEST_UNKNOWN: { status: 404, text: 'manifest unknown' },
  NAME_INVALID: { status: 400, text: 'invalid repository name' },
  NAME_UNKNOWN: { status: 404, text: 'repository name not known to registry' },
  SIZE_INVALID: { status: 400, text: 'provided length did not match content length' },
  TAG_INVALID: { status: 400, text: 'manifest tag did not match URI' },
  UNAUTHORIZED: { status: 401, text: 'authentication required' },
  DENIED: { status: 403, text: 'requested access to the resource is denied' },
  UNSUPPORTED: { status: 405, text: 'the operation is unsupported' },
  TOOMANYREQUESTS: { status: 429, text: 'too many requests' },
  ARCHIVE_INVALID: { status: 400, text: 'archive invalid' },
  LAYER_INVALID: { status: 400, text: 'layer invalid' },
  IN_USE: { status: 409, text: 'image is in use' },
} as const;

export type ImageFaultCode = keyof typeof imageFaults;

/** Something refused by the store or its registry; `message` says what, `code` what kind. */
export class ImageFault extends Error {
  readonly code: ImageFaultCode;

  constructor(code: ImageFaultCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'ImageFault';
    this.code = code;
  }

  get status(): number {
    return imageFaults[this.code].status;
  }
}

export function imageFault(code: ImageFaultCode, message: string, cause?: unknown): ImageFault {
  return new ImageFault(code, message, cause);
}
