/**
 * Syntax of names, keys and values, with Kubernetes' own wording (k8s.io/apimachinery util/validation). Every function
 * returns the findings, without field path; an empty list means valid.
 */
type Findings = readonly string[];

const label = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const subdomain = `${label}(\\.${label})*`;
const label1035 = '[a-z]([-a-z0-9]*[a-z0-9])?';
const qualified = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const percent = '[0-9]+%';
const configKey = '[-._a-zA-Z0-9]+';
const headerName = '[-A-Za-z0-9]+';

export const maxLabelLength = 63;
export const maxSubdomainLength = 253;

/** `MSG (e.g. 'a',  or 'b', regex used for validation is 'FMT')`: Kubernetes' spacing, including its double blank. */
export function regexError(message: string, pattern: string, ...examples: readonly string[]): string {
  if (examples.length === 0) return `${message} (regex used for validation is '${pattern}')`;
  return `${message} (e.g. ${examples.map((one) => `'${one}', `).join(' or ')}regex used for validation is '${pattern}')`;
}
export const maxLengthError = (length: number): string => `must be no more than ${length} characters`;
export const rangeError = (low: number, high: number): string => `must be between ${low} and ${high}, inclusive`;

interface Rule {
  readonly pattern: string;
  readonly message: string;
  readonly examples: readonly string[];
  readonly maxLength?: number;
}

function rule({ pattern, message, examples, maxLength }: Rule): (value: string) => Findings {
  const expression = new RegExp(`^(?:${pattern})$`);
  const text = regexError(message, pattern, ...examples);
  return (value) => {
    const findings: string[] = [];
    if (maxLength !== undefined && Buffer.byteLength(value) > maxLength) findings.push(maxLengthError(maxLength));
    if (!expression.test(value)) findings.push(text);
    return findings;
  };
}

const subdomainExpression = new RegExp(`^${subdomain}$`);
const checkLabelSyntax = rule({
  pattern: label,
  message:
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
  examples: ['my-name', '123-abc'],
});

/** RFC 1123 label: names of namespaces, containers, volumes. */
export function checkDns1123Label(value: string): Findings {
  const findings =
    checkLabelSyntax(value).length > 0 && subdomainExpression.test(value) ? ['must not contain dots'] : checkLabelSyntax(value);
  return Buffer.byteLength(value) > maxLabelLength ? [maxLengthError(maxLabelLength), ...findings] : findings;
}

/** RFC 1123 subdomain: names of most kinds. */
export const checkDns1123Subdomain = rule({
  pattern: subdomain,
  message:
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
  examples: ['example.com'],
  maxLength: maxSubdomainLength,
});

/** RFC 1035 label: names of Services. */
export const checkDns1035Label = rule({
  pattern: label1035,
  message:
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
  examples: ['my-name', 'abc-123'],
  maxLength: maxLabelLength,
});

/** `*.example.com`. */
export const checkWildcardSubdomain = rule({
  pattern: `\\*\\.${subdomain}`,
  message:
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
  examples: ['*.example.com'],
  maxLength: maxSubdomainLength,
});

export const checkLabelValue = rule({
  pattern: `(${qualified})?`,
  message:
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  examples: ['MyValue', 'my_value', '12345'],
  maxLength: maxLabelLength,
});

export const checkPercent = rule({
  pattern: percent,
  message: "a valid percent string must be a numeric string followed by an ending '%'",
  examples: ['1%', '93%'],
});

export const checkHttpHeaderName = rule({
  pattern: headerName,
  message: "a valid HTTP header must consist of alphanumeric characters or '-'",
  examples: ['X-Header-Name'],
});

const qualifiedMessage = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
const checkQualifiedPart = rule({
  pattern: qualified,
  message: qualifiedMessage,
  examples: ['MyName', 'my.name', '123-abc'],
  maxLength: maxLabelLength,
});

/** Keys of labels, annotations, taints, resources: `[prefix/]name`. */
export function checkQualifiedName(value: string): Findings {
  const parts = value.split('/');
  if (parts.length > 2) {
    const text = regexError(qualifiedMessage, qualified, 'MyName', 'my.name', '123-abc');
    return [`a qualified name ${text} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`];
  }
  const name = parts.at(-1) ?? '';
  const findings: string[] = [];
  if (parts.length === 2)
    findings.push(...prefixed('prefix part ', parts[0] === '' ? ['must be non-empty'] : checkDns1123Subdomain(parts[0] ?? '')));
  if (name === '') findings.push('name part must be non-empty');
  findings.push(...prefixed('name part ', checkQualifiedPart(name)));
  return findings;
}

/** Keys of ConfigMaps and Secrets. */
export function checkConfigMapKey(value: string): Findings {
  const findings = [...checkConfigKeySyntax(value)];
  if (value === '.') findings.push("must not be '.'");
  else if (value === '..') findings.push("must not be '..'");
  else if (value.startsWith('..')) findings.push("must not start with '..'");
  return findings;
}
const checkConfigKeySyntax = rule({
  pattern: configKey,
  message: "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
  examples: ['key.name', 'KEY_NAME', 'key-name'],
  maxLength: maxSubdomainLength,
});

/** Names of environment variables: any printable ASCII but `=` (KEP-4369). */
export function checkEnvVarName(value: string): Findings {
  if (value === '') return ['environment variable name must be non-empty'];
  if (/^[ -<>-~]+$/.test(value)) return [];
  return ["a valid environment variable name must consist only of printable ASCII characters other than '='"];
}

/** Names of container ports (RFC 6335 service name). */
export function checkPortName(value: string): Findings {
  const findings: string[] = [];
  if (value.length > 15) findings.push(maxLengthError(15));
  if (!/^[-a-z0-9]+$/.test(value)) findings.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
  if (!/[a-z]/.test(value)) findings.push('must contain at least one letter (a-z)');
  if (value.includes('--')) findings.push('must not contain consecutive hyphens');
  if (value.startsWith('-') || value.endsWith('-')) findings.push('must not begin or end with a hyphen');
  return findings;
}

export function checkPortNumber(value: number): Findings {
  return Number.isInteger(value) && value >= 1 && value <= 65535 ? [] : [rangeError(1, 65535)];
}

/** Names that are only path segments: RBAC objects, for instance. */
export function checkPathSegment(value: string): Findings {
  if (value === '.' || value === '..') return [`may not be '${value}'`];
  return ['/', '%'].filter((one) => value.includes(one)).map((one) => `may not contain '${one}'`);
}

const ipv4Part = '(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])';
const ipv4 = new RegExp(`^${ipv4Part}(?:\\.${ipv4Part}){3}$`);

export const isIPv4 = (value: string): boolean => ipv4.test(value);

/** IPv6 without zone. */
export function isIPv6(value: string): boolean {
  if (!value.includes(':') || /[^0-9a-fA-F:.]/.test(value)) return false;
  const tail = value.slice(value.lastIndexOf(':') + 1);
  const embedded = tail.includes('.');
  if (embedded && !isIPv4(tail)) return false;
  const text = embedded ? `${value.slice(0, value.lastIndexOf(':') + 1)}0:0` : value;
  const halves = text.split('::');
  if (halves.length > 2) return false;
  const groups = halves.map((half) => (half === '' ? [] : half.split(':')));
  if (!groups.flat().every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return false;
  const count = groups.flat().length;
  return halves.length === 2 ? count <= 7 : count === 8;
}

export function checkIP(value: string): Findings {
  return isIPv4(value) || isIPv6(value) ? [] : ['must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'];
}

export function checkCIDR(value: string): Findings {
  const [address = '', length = '', ...rest] = value.split('/');
  const bits = isIPv4(address) ? 32 : isIPv6(address) ? 128 : -1;
  const valid = rest.length === 0 && /^(0|[1-9][0-9]{0,2})$/.test(length) && Number(length) <= bits;
  return valid ? [] : ['must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)'];
}

function prefixed(prefix: string, findings: Findings): Findings {
  return findings.map((finding) => prefix + finding);
}
