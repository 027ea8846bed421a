/** `0-2,5` of a set of completion indexes: Kubernetes' compressed form, in order. */
export function formatIndexes(indexes: Iterable<number>): string {
  const runs: [number, number][] = [];
  for (const index of [...new Set(indexes)].toSorted((a, b) => a - b)) {
    const last = runs.at(-1);
    if (last !== undefined && last[1] === index - 1) last[1] = index;
    else runs.push([index, index]);
  }
  return runs.map(([from, to]) => (from === to ? String(from) : `${from}${to === from + 1 ? ',' : '-'}${to}`)).join(',');
}

/** The indexes of that form below `completions`; what is no index is left out. */
export function parseIndexes(text: string | undefined, completions: number): Set<number> {
  const indexes = new Set<number>();
  for (const part of (text ?? '').split(',')) {
    const [, from, to = from] = /^(\d+)(?:-(\d+))?$/.exec(part) ?? [];
    if (from === undefined) continue;
    for (let index = Number(from); index <= Number(to) && index < completions; index += 1) indexes.add(index);
  }
  return indexes;
}
