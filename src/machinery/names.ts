/** Name rules of Kubernetes (apimachinery util/validation): each returns what is wrong, in Kubernetes' words; empty when fine. */

const label = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const dns1123LabelPattern = new RegExp(`^${label}$`);
const dns1123SubdomainPattern = new RegExp(`^${label}(\\.${label})*$`);
const dns1035Pattern = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const qualifiedPattern = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;

const dns1123LabelText =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character";
const dns1123SubdomainText =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";
const dns1035Text =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character";
const qualifiedText = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
const labelValueText =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";

const labelSource = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';

/** At most 63 characters: namespaces, Service ports, container names. */
export function dns1123Label(value: string): string[] {
  const problems = tooLong(value, 63);
  if (!dns1123LabelPattern.test(value)) problems.push(regexProblem(dns1123LabelText, labelSource, 'my-name', '123-abc'));
  return problems;
}

/** At most 253 characters: the names of most objects. */
export function dns1123Subdomain(value: string): string[] {
  const problems = tooLong(value, 253);
  if (problems.length > 0 || !dns1123SubdomainPattern.test(value)) {
    if (problems.length > 0 && value.length > 4096) return problems;
    if (!dns1123SubdomainPattern.test(value))
      problems.push(regexProblem(dns1123SubdomainText, `${labelSource}(\\.${labelSource})*`, 'example.com'));
  }
  return problems;
}

/** At most 63 characters, starting with a letter: Service names, Knative Services. */
export function dns1035Label(value: string): string[] {
  const problems = tooLong(value, 63);
  if (!dns1035Pattern.test(value)) problems.push(regexProblem(dns1035Text, '[a-z]([-a-z0-9]*[a-z0-9])?', 'my-name', 'abc-123'));
  return problems;
}

/** Keys of labels and annotations, names of extended resources: `[prefix/]name`. */
export function qualifiedName(value: string): string[] {
  const problems: string[] = [];
  const parts = value.split('/');
  const name = parts.at(-1) ?? '';
  if (parts.length > 2) {
    const text = regexProblem(qualifiedText, '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]', 'MyName', 'my.name', '123-abc');
    return [`a qualified name ${text} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`];
  }
  if (parts.length === 2) {
    const prefix = parts[0] ?? '';
    if (prefix === '') problems.push('prefix part must be non-empty');
    else problems.push(...dns1123Subdomain(prefix).map((problem) => `prefix part ${problem}`));
  }
  if (name === '') problems.push('name part must be non-empty');
  else if (name.length > 63) problems.push('name part must be no more than 63 characters');
  if (!qualifiedPattern.test(name)) {
    const text = regexProblem(qualifiedText, '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]', 'MyName', 'my.name', '123-abc');
    problems.push(`name part ${text}`);
  }
  return problems;
}

/** Values of labels: at most 63 characters, empty allowed. */
export function labelValue(value: string): string[] {
  const problems = tooLong(value, 63);
  if (value !== '' && !qualifiedPattern.test(value))
    problems.push(regexProblem(labelValueText, '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?', 'MyValue', 'my_value', '12345'));
  return problems;
}

function tooLong(value: string, max: number): string[] {
  return value.length > max ? [`must be no more than ${max} characters`] : [];
}

function regexProblem(text: string, pattern: string, ...examples: readonly string[]): string {
  const list = examples.map((example) => `'${example}'`).join(',  or ');
  return `${text} (e.g. ${list}, regex used for validation is '${pattern}')`;
}
