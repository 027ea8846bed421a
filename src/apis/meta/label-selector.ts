import type { LabelSelector } from '#apis/meta/object.ts';

export type Operator = '=' | '!=' | 'in' | 'notin' | 'exists' | '!' | 'gt' | 'lt';

/** One term of a selector; all terms must hold. */
export interface Requirement {
  readonly key: string;
  readonly operator: Operator;
  readonly values: readonly string[];
}

/** A label selector ready to match; an empty one matches everything. */
export type Selector = readonly Requirement[];

/** Matches no object: what a missing LabelSelector object means in Kubernetes. */
export const nothing: Selector = [{ key: '', operator: 'in', values: [] }];

/** Whether a valid metav1.LabelSelector object selects the labels; for many objects compile it first (`fromLabelSelector`). */
export function selectorMatches(selector: LabelSelector | null | undefined, labels: Readonly<Record<string, string>> | undefined): boolean {
  return matchesLabels(fromLabelSelector(selector), labels);
}

/** True when every term holds. `!=` and `notin` hold for a missing label. */
export function matchesLabels(selector: Selector, labels: Readonly<Record<string, string>> | undefined): boolean {
  for (const requirement of selector) {
    const value = labels !== undefined && Object.hasOwn(labels, requirement.key) ? labels[requirement.key] : undefined;
    if (!holds(requirement, value)) return false;
  }
  return true;
}

function holds({ operator, values }: Requirement, value: string | undefined): boolean {
  switch (operator) {
    case '=':
    case 'in':
      return value !== undefined && values.includes(value);
    case '!=':
    case 'notin':
      return value === undefined || !values.includes(value);
    case 'exists':
      return value !== undefined;
    case '!':
      return value === undefined;
    case 'gt':
      return isInteger(value) && BigInt(value) > BigInt(values[0] ?? '0');
    case 'lt':
      return isInteger(value) && BigInt(value) < BigInt(values[0] ?? '0');
  }
}

/** Of `gt` and `lt`: both sides are integers. */
export function isInteger(value: string | undefined): value is string {
  return value !== undefined && /^-?\d{1,19}$/.test(value);
}

/** Kubernetes' text form: terms by key, `a=b,c in (x,y),!d`. Parses back to the same selector; '' for an empty one. */
export function formatSelector(selector: Selector): string {
  return selector.map(formatRequirement).join(',');
}

function formatRequirement({ key, operator, values }: Requirement): string {
  switch (operator) {
    case 'exists':
      return key;
    case '!':
      return `!${key}`;
    case 'in':
    case 'notin':
      return `${key} ${operator} (${[...values].sort().join(',')})`;
    case 'gt':
      return `${key}>${values[0] ?? ''}`;
    case 'lt':
      return `${key}<${values[0] ?? ''}`;
    default:
      return `${key}${operator}${values[0] ?? ''}`;
  }
}

/**
 * The selector of a metav1.LabelSelector object: undefined matches nothing, an empty one everything. The object must be
 * valid (`labelSelectorErrors`); unknown operators match nothing.
 */
export function fromLabelSelector(selector: LabelSelector | null | undefined): Selector {
  if (selector === undefined || selector === null) return nothing;
  const terms: Requirement[] = [];
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) terms.push({ key, operator: '=', values: [value] });
  for (const { key, operator, values = [] } of selector.matchExpressions ?? []) {
    const known = Object.hasOwn(objectOperators, operator) ? objectOperators[operator] : undefined;
    if (known === undefined) return nothing;
    terms.push({ key, operator: known, values });
  }
  return terms.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
}

const objectOperators: Readonly<Record<string, Operator>> = { In: 'in', NotIn: 'notin', Exists: 'exists', DoesNotExist: '!' };

/** Selects everything. */
export function isEmptySelector(selector: LabelSelector | undefined): boolean {
  return Object.keys(selector?.matchLabels ?? {}).length + (selector?.matchExpressions?.length ?? 0) === 0;
}
