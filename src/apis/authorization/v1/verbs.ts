/** The verb of a request on one object; `list`, `watch` and `deletecollection` are GET and DELETE on many. */
export type ObjectVerb = 'get' | 'create' | 'update' | 'patch' | 'delete';

/** What authorization calls an HTTP method. */
export const methodVerbs: Readonly<Record<string, ObjectVerb>> = {
  GET: 'get',
  HEAD: 'get',
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};
