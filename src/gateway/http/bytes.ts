/** Byte classes of RFC 9110 §5.6.2 and RFC 9112, as tables: one look-up a byte, no strings. */
function table(characters: string): Uint8Array {
  const result = new Uint8Array(256);
  for (const character of characters) result[character.charCodeAt(0)] = 1;
  return result;
}

const alphanumeric = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** tchar: methods and field names. */
export const tokenByte = table(`!#$%&'*+-.^_\`|~${alphanumeric}`);
/** What a Host may consist of: reg-name, IPv4, [IPv6], port. */
export const hostByte = table(`!$%&'()*+-.:;=[]_~${alphanumeric}`);
/** field-vchar, SP, HTAB, obs-text: never CR, LF, NUL or DEL. */
export const fieldByte = ((): Uint8Array => {
  const result = new Uint8Array(256).fill(1, 32);
  result[127] = 0;
  result[9] = 1;
  return result;
})();

export const CR = 13;
export const LF = 10;
export const SP = 32;
export const TAB = 9;
export const COLON = 58;

const noBytes = Buffer.alloc(0);

/** The empty one is always the same: thousands of routes have nothing to add to a head. */
export const latin1 = (text: string): Buffer => (text === '' ? noBytes : Buffer.from(text, 'latin1'));

/** Whether `bytes` at `at` spells `lower` (lower-case letters) in any case. The caller has checked the length. */
export function equalsIgnoreCase(bytes: Uint8Array, at: number, lower: Uint8Array): boolean {
  for (let index = 0; index < lower.length; index++) {
    const byte = bytes[at + index] as number;
    const wanted = lower[index] as number;
    if (byte !== wanted && (byte < 65 || byte > 90 || byte + 32 !== wanted)) return false;
  }
  return true;
}

/** Copies `source[from,to)` to `target` at `at` and returns the position after it. Short runs are copied by hand: cheaper than the call. */
export function copyBytes(source: Buffer, from: number, to: number, target: Buffer, at: number): number {
  const length = to - from;
  if (length > 48) return at + source.copy(target, at, from, to);
  for (let index = 0; index < length; index++) target[at + index] = source[from + index] as number;
  return at + length;
}
