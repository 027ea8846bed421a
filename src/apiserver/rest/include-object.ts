import { badRequest } from '#apis/meta/status.ts';
import type { RowObject } from '#apiserver/table/table.ts';

/** `includeObject` of a Table: what rows carry besides their cells. */
export function includeOf(query: URLSearchParams): RowObject {
  const include = query.get('includeObject') ?? '';
  if (include === '' || include === 'Metadata') return 'Metadata';
  if (include === 'None' || include === 'Object') return include;
  throw badRequest(`unrecognized includeObject value: ${JSON.stringify(include)}`);
}
