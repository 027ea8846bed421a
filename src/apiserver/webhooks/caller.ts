import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import type { Destination } from '#apiserver/webhooks/destination.ts';

const maxAnswerBytes = 8 * 2 ** 20;

/**
 * Posts a review and resolves with the parsed answer. Rejects with an Error whose message begins like that of kube-apiserver
 * (`Post "https://…?timeout=10s": …`).
 */
export async function postReview(destination: Destination, body: unknown, timeoutSeconds: number): Promise<unknown> {
  const url = new URL(destination.url);
  url.searchParams.set('timeout', `${timeoutSeconds}s`);
  try {
    const { status, text } = await exchange({ ...destination, url }, JSON.stringify(body), AbortSignal.timeout(timeoutSeconds * 1000));
    if (status < 200 || status > 299) throw new Error(`the server answered ${status}: ${text.slice(0, 200).trim()}`);
    return JSON.parse(text) as unknown;
  } catch (error) {
    const late = error instanceof DOMException && error.name === 'TimeoutError';
    const text = late ? 'context deadline exceeded' : error instanceof Error ? error.message : String(error);
    throw new Error(`Post "${url.href}": ${text}`, { cause: error });
  }
}

function exchange(
  { url, dial, authority }: Destination,
  body: string,
  signal: AbortSignal,
): Promise<{ readonly status: number; readonly text: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
  // The signal's own error hides that it was time that ran out.
  signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  const request = httpsRequest(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json', 'content-length': Buffer.byteLength(body) },
    servername: url.hostname,
    agent: false,
    signal,
    ...(authority === undefined ? {} : { ca: authority }),
    ...(dial === undefined ? {} : { socket: 'path' in dial ? connect(dial.path) : connect(dial.port, dial.host) }),
  });
  request.on('error', reject);
  request.on('response', (response) => {
    const parts: Buffer[] = [];
    let size = 0;
    response.on('data', (part: Buffer) => {
      size += part.length;
      if (size > maxAnswerBytes) response.destroy(new Error(`the answer is larger than ${maxAnswerBytes} bytes`));
      else parts.push(part);
    });
    response.on('error', reject);
    response.on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(parts).toString() }));
  });
  request.end(body);
  return promise;
}
