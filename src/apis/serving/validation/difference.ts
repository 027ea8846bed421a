/** Whether two JSON values mean the same; absent, null, empty maps and empty lists are equal (apiequality.Semantic). */
export function sameValue(left: unknown, right: unknown): boolean {
  if (left === right || (isEmpty(left) && isEmpty(right))) return true;
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false;
  if (Array.isArray(left) || Array.isArray(right)) {
    return (
      Array.isArray(left) &&
      Array.isArray(right) &&
      left.length === right.length &&
      left.every((item, index) => sameValue(item, right[index]))
    );
  }
  const keys = new Set([...Object.keys(left), ...Object.keys(right)]);
  return [...keys].every((key) => sameValue((left as Record<string, unknown>)[key], (right as Record<string, unknown>)[key]));
}

/** The leaves in which two values differ, as `{path}:` with a `-` and a `+` line each. */
export function differenceText(old: unknown, next: unknown): string {
  const lines: string[] = [];
  collect(old, next, '', lines);
  return lines.join('\n');
}

function collect(old: unknown, next: unknown, path: string, lines: string[]): void {
  if (sameValue(old, next)) return;
  const bothObjects =
    typeof old === 'object' && typeof next === 'object' && old !== null && next !== null && Array.isArray(old) === Array.isArray(next);
  if (!bothObjects) {
    lines.push(`{${path}}:`);
    if (old !== undefined) lines.push(`\t-: ${JSON.stringify(old)}`);
    if (next !== undefined) lines.push(`\t+: ${JSON.stringify(next)}`);
    return;
  }
  for (const key of new Set([...Object.keys(old), ...Object.keys(next)])) {
    const step = Array.isArray(old) ? `${path}[${key}]` : `${path}.${key}`;
    collect((old as Record<string, unknown>)[key], (next as Record<string, unknown>)[key], step, lines);
  }
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === 'object' && Object.keys(value).length === 0;
}
