import { isIP } from 'node:net';
import { DurationError, parseGoDuration } from '#core/duration.ts';
import { isQuantity } from '#apis/meta/quantity.ts';

/**
 * The formats Kubernetes checks in custom resources. Formats it does not know count as fine, as there.
 */
const checks: Readonly<Record<string, (value: string) => boolean>> = {
  'date-time': (value) =>
    /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/.test(value) && !Number.isNaN(Date.parse(value)),
  date: (value) => /^\d{4}-\d\d-\d\d$/.test(value) && !Number.isNaN(Date.parse(value)),
  duration: isDuration,
  byte: (value) => value.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(value),
  uuid: (value) => /^[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}$/i.test(value),
  uuid3: (value) => /^[0-9a-f]{8}-?[0-9a-f]{4}-?3[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i.test(value),
  uuid4: (value) => /^[0-9a-f]{8}-?[0-9a-f]{4}-?4[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$/i.test(value),
  uuid5: (value) => /^[0-9a-f]{8}-?[0-9a-f]{4}-?5[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$/i.test(value),
  ipv4: (value) => isIP(value) === 4,
  ipv6: (value) => isIP(value) === 6,
  cidr: isCidr,
  mac: (value) => /^(?:[0-9a-f]{2}([:-]))(?:[0-9a-f]{2}\1){4}(?:[0-9a-f]{2})$/i.test(value),
  email: (value) => /^[^@\s]{1,64}@[^@\s]{1,255}$/.test(value),
  hostname: (value) => value.length <= 253 && /^(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.?)+$/i.test(value),
  uri: isUri,
  creditcard: (value) => /^[\d -]{12,23}$/.test(value),
  isbn: (value) => /^(?:[\d -]{9,16}[\dX])$/.test(value),
  isbn10: (value) => /^(?:[\d -]{9,12}[\dX])$/.test(value),
  isbn13: (value) => /^[\d -]{13,17}$/.test(value),
  ssn: (value) => /^\d{3}[- ]?\d{2}[- ]?\d{4}$/.test(value),
  hexcolor: (value) => /^#?(?:[0-9a-f]{3}|[0-9a-f]{6})$/i.test(value),
  rgbcolor: (value) => /^rgb\(\s*\d{1,3}\s*,\s*\d{1,3}\s*,\s*\d{1,3}\s*\)$/.test(value),
  quantity: isQuantity,
};

/** True when the text breaks the named format. */
export function formatProblem(value: string, format: string): boolean {
  const check = Object.hasOwn(checks, format) ? checks[format] : undefined;
  return check !== undefined && !check(value);
}

function isDuration(value: string): boolean {
  try {
    parseGoDuration(value);
    return true;
  } catch (error) {
    if (error instanceof DurationError) return /^\d+\s*(?:weeks?|w|days?|d)$/.test(value);
    throw error;
  }
}

function isCidr(value: string): boolean {
  const slash = value.lastIndexOf('/');
  const version = isIP(value.slice(0, Math.max(slash, 0)));
  const bits = value.slice(slash + 1);
  return version !== 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128);
}

function isUri(value: string): boolean {
  return value.startsWith('/') || URL.canParse(value);
}
