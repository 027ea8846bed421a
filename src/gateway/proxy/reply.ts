import type { GatewayAnswer } from '#gateway/errors.ts';
import { latin1 } from '#gateway/http/bytes.ts';

/** A whole response of the gateway's own; `headOnly` for HEAD requests. */
export function composeAnswer(answer: GatewayAnswer, close: boolean, headOnly: boolean, headers = ''): Buffer {
  const body = answer.body === '' ? '' : `${answer.body}\n`;
  const lines = [
    `HTTP/1.1 ${answer.status} ${answer.reason}`,
    `Date: ${new Date().toUTCString()}`,
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${body.length}`,
    ...(close ? ['Connection: close'] : []),
  ];
  return latin1(`${lines.join('\r\n')}\r\n${answer.headers ?? ''}${headers}\r\n${headOnly ? '' : body}`);
}
