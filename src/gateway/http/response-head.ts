import { CR, LF, equalsIgnoreCase, fieldByte, latin1 } from '#gateway/http/bytes.ts';
import {
  Head,
  classifyFraming,
  dropNamed,
  framingFields,
  incomplete,
  interestTable,
  malformed,
  parseFields,
  startsProtocol,
  type Classify,
} from '#gateway/http/head.ts';

export class ResponseHead extends Head {
  status = 0;
  /** `timeout` of the app's Keep-Alive field in milliseconds, or -1: after that it may close an idle connection. */
  keepAliveMs = -1;
  /** The line `Transfer-Encoding: chunked`, for taking it away from an HTTP/1.0 client. */
  codingStart = 0;
  codingEnd = 0;
}

const transferEncoding = latin1('transfer-encoding');
const keepAlive = latin1('keep-alive');
const interest = interestTable(framingFields);

/** Parses a response head strictly; hop-by-hop fields are in the head's drops. */
export function parseResponseHead(bytes: Buffer, at: number, end: number, head: ResponseHead): number {
  if (end - at < 13) return incomplete;
  const minor = (bytes[at + 7] as number) - 48;
  if (!startsProtocol(bytes, at) || bytes[at + 5] !== 49 || bytes[at + 6] !== 46 || bytes[at + 8] !== 32 || minor < 0 || minor > 1)
    return malformed;
  const status = threeDigits(bytes, at + 9);
  if (status < 100) return malformed;
  let index = at + 12;
  if (bytes[index] !== 32 && bytes[index] !== CR) return malformed;
  while (index < end && fieldByte[bytes[index] as number] === 1) index++;
  if (index + 1 >= end) return incomplete;
  if (bytes[index] !== CR || bytes[index + 1] !== LF) return malformed;
  head.minor = minor;
  head.close = minor === 0;
  head.status = status;
  head.keepAliveMs = -1;
  head.reset(index + 2);
  const result = parseFields(bytes, index + 2, end, head, interest, classifyResponseField);
  if (result > 0 && head.nominated !== null) dropNamed(bytes, head, head.nominated);
  return result;
}

function threeDigits(bytes: Uint8Array, at: number): number {
  let value = 0;
  for (let index = at; index < at + 3; index++) {
    const digit = (bytes[index] as number) - 48;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

const classifyResponseField: Classify<ResponseHead> = (bytes, start, nameEnd, from, to, lineEnd, head) => {
  const length = nameEnd - start;
  if (length === keepAlive.length && equalsIgnoreCase(bytes, start, keepAlive)) {
    head.drop(start, lineEnd);
    head.keepAliveMs = keepAliveTimeout(bytes.toString('latin1', from, to));
    return 0;
  }
  if (length === transferEncoding.length && equalsIgnoreCase(bytes, start, transferEncoding)) {
    head.codingStart = start;
    head.codingEnd = lineEnd;
  }
  return classifyFraming(bytes, start, nameEnd, from, to, lineEnd, head);
};

const timeouts = new Map<string, number>();

/** Apps say the same thing in every response, so the few values seen are remembered. */
function keepAliveTimeout(value: string): number {
  const known = timeouts.get(value);
  if (known !== undefined) return known;
  const seconds = /(?:^|[,;\s])timeout=(\d{1,6})/i.exec(value)?.[1];
  const result = seconds === undefined ? -1 : Number(seconds) * 1000;
  if (timeouts.size < 100) timeouts.set(value, result);
  return result;
}
