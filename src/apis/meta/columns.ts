import type { Column } from '#apis/definition.ts';
import { timeSince } from '#apis/meta/human-duration.ts';
import { formatSelector, fromLabelSelector } from '#apis/meta/label-selector.ts';
import type { KubeObject, LabelSelector } from '#apis/meta/object.ts';

type Cell = string | number | boolean | null;
type CellOf<T> = (object: T, now: number) => Cell;

/** A column of `kubectl get` computed from the object. */
export function column<T extends KubeObject>(name: string, value: CellOf<T>, type: Column['type'] = 'string'): Column {
  return { name, type, value: value as Column['value'] };
}

/** A column that shows only with `-o wide`. */
export function wideColumn<T extends KubeObject>(name: string, value: CellOf<T>, type: Column['type'] = 'string'): Column {
  return { ...column(name, value, type), priority: 1 };
}

export const ageColumn: Column = column('Age', ({ metadata }, now) => timeSince(metadata.creationTimestamp, now));

/** Kinds without printer of their own, and RBAC roles, show when they were created instead of their age. */
export const createdAtColumn: Column = column('Created At', ({ metadata }) => metadata.creationTimestamp ?? null, 'date');

/** Replaces the NAME column that tables start with, for names that carry a remark. */
export function nameColumn<T extends KubeObject>(value: CellOf<T>): Column {
  return { ...column('Name', value), format: 'name' };
}

interface WithContainers {
  readonly spec?: { readonly containers?: readonly { readonly name: string; readonly image?: string }[] };
}

/** CONTAINERS and IMAGES of a pod template, and SELECTOR: the wide columns of every workload. */
export function workloadColumns<T extends KubeObject>(
  template: (object: T) => WithContainers | undefined,
  selector?: (object: T) => string,
): readonly Column[] {
  const containers = (object: T) => template(object)?.spec?.containers ?? [];
  return [
    wideColumn<T>('Containers', (object) =>
      containers(object)
        .map(({ name }) => name)
        .join(','),
    ),
    wideColumn<T>('Images', (object) =>
      containers(object)
        .map(({ image = '' }) => image)
        .join(','),
    ),
    ...(selector === undefined ? [] : [wideColumn<T>('Selector', selector)]),
  ];
}

/** `a=1,b=2`, sorted by key; `<none>` for no labels. */
export function formatLabels(labels: Readonly<Record<string, string>> | undefined): string {
  const pairs = Object.entries(labels ?? {}).map(([key, value]) => `${key}=${value}`);
  return pairs.length === 0 ? '<none>' : pairs.sort().join(',');
}

/** A label selector in kubectl's `-l` syntax; `<none>` for an empty one. */
export const formatLabelSelector = (selector: LabelSelector | undefined): string =>
  orNone(formatSelector(fromLabelSelector(selector ?? {})));

/** The first three of a list, and how many more there are. */
export function firstThree(items: readonly string[], none: string): string {
  if (items.length === 0) return none;
  const shown = items.slice(0, 3).join(',');
  return items.length > 3 ? `${shown} + ${items.length - 3} more...` : shown;
}

/** `value`, or `<none>` for an absent or empty one. */
export const orNone = (value: string | undefined): string => (value === undefined || value === '' ? '<none>' : value);
/** As kubectl prints a Go *bool. */
export const optionalBoolean = (value: boolean | undefined): string => (value === undefined ? '<unset>' : value ? 'True' : 'False');
