import type { IncomingMessage, ServerResponse } from 'node:http';
import { ImageError } from '#apis/runtime/image-service.ts';
import { UserError, errorText, isDiskFull } from '#core/errors.ts';
import { ImageFault, imageFault } from '../errors.ts';
import { readAll } from '#core/streams.ts';

export function sendJson(response: ServerResponse, status: number, value: unknown, headers: Record<string, string> = {}): void {
  const body = Buffer.from(JSON.stringify(value));
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': body.length, ...headers });
  response.end(body);
}

/** Answers with the distribution specification's error document; a reply already begun is cut off, so that nobody takes it for whole. */
export function sendFault(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const code = error instanceof ImageFault ? error.code : 'UNKNOWN';
  const status = error instanceof ImageFault ? error.status : isDiskFull(error) ? 507 : 500;
  // The rest of an upload that was refused is not wanted.
  sendJson(response, status, { errors: [{ code, message: errorText(error), detail: {} }] }, { connection: 'close' });
}

const diskFullHint =
  'Free some space and try again: nothing else is needed. "dormouse image prune --all" removes images that nothing uses.';

/** What remote.ts turns back into an error of the same kind. */
export function errorDocument(error: unknown): { message: string; hint?: string; kind?: 'user' | 'image'; reason?: ImageError['reason'] } {
  const message = errorText(error);
  if (error instanceof ImageError) return { message, kind: 'image', reason: error.reason };
  if (error instanceof UserError)
    return { message: error.message, kind: 'user', ...(error.hint === undefined ? {} : { hint: error.hint }) };
  if (error instanceof ImageFault)
    return { message, kind: 'user', ...(error.code === 'MANIFEST_UNKNOWN' ? { hint: 'See which there are: dormouse image ls' } : {}) };
  if (isDiskFull(error)) return { message: `no space left on the disk: ${message}`, kind: 'user', hint: diskFullHint };
  return { message };
}

/** The request's body, refused above `maxBytes`. */
export function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  return readAll(request, maxBytes, (most) => imageFault('SIZE_INVALID', `body is larger than ${most} bytes`));
}
