import type { IncomingMessage } from 'node:http';
import { StatusError } from '#apis/meta/status.ts';
import { apiError } from '#apiserver/errors.ts';
import type { RequestBody } from '#apiserver/request.ts';
import type { Clock } from '#core/clock.ts';

/** As kube-apiserver's default. */
const maxBodyBytes = 3 * 1024 * 1024;
const bodyTimeoutMs = 30_000;

/** The body of an HTTP request: bounded in size and time when read whole, as it comes when streamed. */
export function requestBody(message: IncomingMessage, clock: Clock): RequestBody {
  return {
    read: async () => ({ bytes: await readWhole(message, clock) }),
    stream: () => message,
  };
}

function readWhole(message: IncomingMessage, clock: Clock): Promise<Uint8Array> {
  const declared = Number(message.headers['content-length'] ?? 0);
  if (declared > maxBodyBytes) {
    message.resume();
    return Promise.reject(apiError('tooLarge', String(maxBodyBytes)));
  }
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  const parts: Uint8Array[] = [];
  let size = 0;
  let settled = false;
  const settle = (action: () => void) => {
    // A connection closes after every request: no error may be made for that.
    if (settled) return;
    settled = true;
    cancel();
    message.off('data', onData);
    action();
  };
  const onData = (part: Uint8Array) => {
    size += part.length;
    parts.push(part);
    if (size <= maxBodyBytes) return;
    settle(() => reject(apiError('tooLarge', String(maxBodyBytes))));
    // What is still to come is thrown away, so that the client gets to read the answer.
    message.resume();
  };
  const cancel = clock.after(bodyTimeoutMs, () => settle(() => reject(slowBody())));
  message.on('data', onData);
  message.once('end', () => settle(() => resolve(Buffer.concat(parts))));
  message.once('close', () => settle(() => reject(new StatusError('BadRequest', 'the connection ended before the body did'))));
  message.once('error', (error) => settle(() => reject(new StatusError('BadRequest', 'the body could not be read', { cause: error }))));
  return promise;
}

function slowBody(): StatusError {
  return new StatusError('Timeout', `the body did not arrive within ${bodyTimeoutMs / 1000} seconds`, { code: 408 });
}
