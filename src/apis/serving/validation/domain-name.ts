import { checkDns1123Label, checkDns1123Subdomain } from '#apis/meta/names.ts';

/** What Kubernetes finds wrong with a fully qualified domain name in the field `path`. */
export function domainProblems(path: string, name: string): string[] {
  if (name === '') return [`${path}: Required value`];
  const bare = name.endsWith('.') ? name.slice(0, -1) : name;
  const invalid = (detail: string) => `${path}: Invalid value: ${JSON.stringify(name)}: ${detail}`;
  const problems = checkDns1123Subdomain(bare);
  if (problems.length > 0) return problems.map(invalid);
  const labels = bare.split('.');
  if (labels.length < 2) return [invalid('should be a domain with at least two segments separated by dots')];
  return labels.flatMap((label) => checkDns1123Label(label).map((detail) => `${path}: Invalid value: ${JSON.stringify(label)}: ${detail}`));
}

/** Several errors in brackets, one as it is. */
export function aggregate(problems: readonly string[]): string {
  const distinct = [...new Set(problems)];
  return distinct.length === 1 ? (distinct[0] ?? '') : `[${distinct.join(', ')}]`;
}
