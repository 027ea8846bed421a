export const recordTypes = { A: 1, CNAME: 5, SOA: 6, PTR: 12, AAAA: 28, SRV: 33, OPT: 41, ANY: 255 } as const;
export const responseCodes = { noError: 0, formatError: 1, serverFailure: 2, nameError: 3, notImplemented: 4, refused: 5 } as const;

export interface Question {
  readonly name: string;
  readonly type: number;
  readonly class: number;
}

export interface Query {
  readonly id: number;
  readonly recursionDesired: boolean;
  readonly opcode: number;
  readonly question: Question;
  /** The question as it stands, for the answer. */
  readonly questionBytes: Buffer;
  /** Largest UDP answer the client takes (RFC 6891, else 512). */
  readonly maxUdpBytes: number;
}

export interface DnsRecord {
  readonly name: string;
  readonly type: number;
  readonly ttlSeconds: number;
  readonly data: Buffer;
}

export interface Answer {
  readonly code: number;
  readonly answers: readonly DnsRecord[];
  readonly authority: readonly DnsRecord[];
}

/** Reads a query with one question (RFC 1035 §4); undefined for anything else. */
export function decodeQuery(message: Buffer): Query | undefined {
  if (message.length < 12 || (message.readUInt16BE(2) & 0x8000) !== 0 || message.readUInt16BE(4) !== 1) return undefined;
  const name = readName(message, 12);
  if (name === undefined || name.end + 4 > message.length) return undefined;
  const flags = message.readUInt16BE(2);
  const end = name.end + 4;
  return {
    id: message.readUInt16BE(0),
    recursionDesired: (flags & 0x0100) !== 0,
    opcode: (flags >> 11) & 0xf,
    question: { name: name.text.toLowerCase(), type: message.readUInt16BE(name.end), class: message.readUInt16BE(name.end + 2) },
    questionBytes: message.subarray(12, end),
    maxUdpBytes: ednsSize(message, end),
  };
}

/** The size in an OPT record that directly follows the question, which is where stub resolvers put it. */
function ednsSize(message: Buffer, offset: number): number {
  const isOpt = message.length >= offset + 11 && message[offset] === 0 && message.readUInt16BE(offset + 1) === recordTypes.OPT;
  return isOpt ? Math.min(4096, Math.max(512, message.readUInt16BE(offset + 3))) : 512;
}

/** Reads a name, following compression pointers (each must point further back, so that there is no loop). */
export function readName(message: Buffer, offset: number): { readonly text: string; readonly end: number } | undefined {
  const labels: string[] = [];
  let at = offset;
  let end: number | undefined;
  let size = 0;
  for (;;) {
    const length = message[at];
    if (length === undefined) return undefined;
    if (length === 0) return { text: labels.join('.'), end: end ?? at + 1 };
    if ((length & 0xc0) === 0xc0) {
      const low = message[at + 1];
      const target = ((length & 0x3f) << 8) | (low ?? 0);
      if (low === undefined || target >= at) return undefined;
      end ??= at + 2;
      at = target;
      continue;
    }
    size += length + 1;
    if (length > 63 || size > 254 || at + 1 + length > message.length) return undefined;
    labels.push(message.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
}

/** An answer to `query`; records that do not fit `maxBytes` are left out and the answer marked as truncated. */
export function encodeAnswer(query: Query, { code, answers, authority }: Answer, maxBytes: number): Buffer {
  const records = [...answers, ...authority].map(encodeRecord);
  const size = 12 + query.questionBytes.length + records.reduce((sum, one) => sum + one.length, 0);
  const isTruncated = size > maxBytes;
  const head = Buffer.alloc(12);
  head.writeUInt16BE(query.id, 0);
  // QR, AA, TC, RD as asked, RA.
  head.writeUInt16BE(
    0x8000 | (query.opcode << 11) | 0x0400 | (isTruncated ? 0x0200 : 0) | (query.recursionDesired ? 0x0100 : 0) | 0x0080 | code,
    2,
  );
  head.writeUInt16BE(1, 4);
  if (isTruncated) return Buffer.concat([head, query.questionBytes]);
  head.writeUInt16BE(answers.length, 6);
  head.writeUInt16BE(authority.length, 8);
  return Buffer.concat([head, query.questionBytes, ...records]);
}

/** Somebody else's answer to `query`, or where it is too long its head alone, marked as truncated: the client asks again over TCP. */
export function fitting(query: Query, answer: Buffer | undefined, maxBytes: number): Buffer | undefined {
  if (answer === undefined || answer.length <= maxBytes) return answer;
  const head = Buffer.from(answer.subarray(0, 12));
  head.writeUInt16BE(head.readUInt16BE(2) | 0x0200, 2);
  head.writeUInt16BE(1, 4);
  head.fill(0, 6);
  return Buffer.concat([head, query.questionBytes]);
}

function encodeRecord({ name, type, ttlSeconds, data }: DnsRecord): Buffer {
  const head = Buffer.alloc(10);
  head.writeUInt16BE(type, 0);
  head.writeUInt16BE(1, 2);
  head.writeUInt32BE(ttlSeconds, 4);
  head.writeUInt16BE(data.length, 8);
  return Buffer.concat([encodeName(name), head, data]);
}

export function encodeName(name: string): Buffer {
  const labels = name === '' ? [] : name.split('.');
  return Buffer.concat([
    ...labels.map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label, 'latin1')])),
    Buffer.from([0]),
  ]);
}

/** The A and AAAA records of an answer, whatever their names; for following a CNAME. */
export function decodeAddresses(message: Buffer, type: number): readonly { readonly ttlSeconds: number; readonly data: Buffer }[] {
  if (message.length < 12) return [];
  let at = 12;
  for (let left = message.readUInt16BE(4); left > 0; left -= 1) {
    const name = readName(message, at);
    if (name === undefined) return [];
    at = name.end + 4;
  }
  const found: { ttlSeconds: number; data: Buffer }[] = [];
  for (let left = message.readUInt16BE(6); left > 0; left -= 1) {
    const name = readName(message, at);
    if (name === undefined || name.end + 10 > message.length) return found;
    const length = message.readUInt16BE(name.end + 8);
    const data = message.subarray(name.end + 10, name.end + 10 + length);
    if (message.readUInt16BE(name.end) === type) found.push({ ttlSeconds: message.readUInt32BE(name.end + 4), data });
    at = name.end + 10 + length;
  }
  return found;
}

/** A query for one name, as a stub resolver would send it. */
export function encodeQuery(id: number, name: string, type: number): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt16BE(id, 0);
  head.writeUInt16BE(0x0100, 2);
  head.writeUInt16BE(1, 4);
  const tail = Buffer.alloc(4);
  tail.writeUInt16BE(type, 0);
  tail.writeUInt16BE(1, 2);
  return Buffer.concat([head, encodeName(name), tail]);
}
