import type { Attributes, PolicyRule } from '#apiserver/auth/authorizer.ts';

/** Whether one RBAC rule covers a request (k8s.io RBAC VerbMatches, ResourceMatches …). */
export function ruleAllows(rule: PolicyRule, attributes: Attributes): boolean {
  if (!matches(rule.verbs, attributes.verb)) return false;
  if (attributes.path !== undefined) return (rule.nonResourceURLs ?? []).some((pattern) => urlMatches(pattern, attributes.path ?? ''));
  const { group, resource, subresource, name } = attributes;
  return (
    matches(rule.apiGroups ?? [], group) &&
    resourceMatches(rule.resources ?? [], resource, subresource) &&
    ((rule.resourceNames ?? []).length === 0 || (rule.resourceNames ?? []).includes(name))
  );
}

/**
 * Whether `rules` together cover everything `wanted` gives: nobody may hand out more than they have. Each combination of
 * verb, group, resource (or URL) and name of the wanted rule has to be covered by one rule.
 */
export function covers(rules: readonly PolicyRule[], wanted: PolicyRule): boolean {
  if ((wanted.nonResourceURLs ?? []).length > 0) {
    return wanted.verbs.every((verb) =>
      (wanted.nonResourceURLs ?? []).every((url) =>
        rules.some((rule) => matches(rule.verbs, verb) && (rule.nonResourceURLs ?? []).some((pattern) => urlCovers(pattern, url))),
      ),
    );
  }
  const names = (wanted.resourceNames ?? []).length === 0 ? [''] : (wanted.resourceNames ?? []);
  for (const verb of wanted.verbs)
    for (const group of wanted.apiGroups ?? [])
      for (const full of wanted.resources ?? [])
        for (const name of names) if (!rules.some((rule) => coversOne(rule, verb, group, full, name))) return false;
  return true;
}

function coversOne(rule: PolicyRule, verb: string, group: string, full: string, name: string): boolean {
  const [resource = '', subresource = ''] = full.split('/', 2);
  const names = rule.resourceNames ?? [];
  return (
    matches(rule.verbs, verb) &&
    matches(rule.apiGroups ?? [], group) &&
    ((rule.resources ?? []).includes(full) || resourceMatches(rule.resources ?? [], resource, subresource)) &&
    (names.length === 0 || (name !== '' && names.includes(name)))
  );
}

function matches(allowed: readonly string[], value: string): boolean {
  return allowed.includes('*') || allowed.includes(value);
}

function resourceMatches(allowed: readonly string[], resource: string, subresource: string): boolean {
  if (allowed.includes('*')) return true;
  if (subresource === '') return allowed.includes(resource);
  return allowed.includes(`${resource}/${subresource}`) || allowed.includes(`*/${subresource}`);
}

function urlMatches(pattern: string, path: string): boolean {
  if (pattern === '*' || pattern === path) return true;
  return pattern.endsWith('*') && path.startsWith(pattern.slice(0, -1));
}

function urlCovers(pattern: string, url: string): boolean {
  return pattern === url || (pattern.endsWith('*') && url.startsWith(pattern.slice(0, -1)));
}
