import { badRequest } from '#apis/meta/status.ts';
import { fieldForbidden, fieldInvalid, fieldNotSupported, type FieldError, invalid } from '#apis/meta/field-error.ts';

/** Query parameters of list and watch, checked. */
export interface ListOptions {
  readonly limit: number;
  readonly continue: string;
  /** Undefined: the most recent. 0: any. */
  readonly revision: number | undefined;
  readonly match: '' | 'Exact' | 'NotOlderThan';
  readonly sendInitialEvents: boolean | undefined;
  readonly allowWatchBookmarks: boolean;
  readonly timeoutSeconds: number | undefined;
}

/** StatusError 400 or 422 for parameters that cannot be parsed or do not go together (k8s.io/apimachinery ListOptions validation). */
export function parseListOptions(query: URLSearchParams, watch: boolean): ListOptions {
  const options: ListOptions = {
    limit: wholeNumber(query, 'limit') ?? 0,
    continue: query.get('continue') ?? '',
    revision: parseRevision(query.get('resourceVersion')),
    match: (query.get('resourceVersionMatch') ?? '') as ListOptions['match'],
    sendInitialEvents: parseBool(query, 'sendInitialEvents'),
    allowWatchBookmarks: parseBool(query, 'allowWatchBookmarks') ?? false,
    timeoutSeconds: wholeNumber(query, 'timeoutSeconds'),
  };
  const errors = watch ? watchErrors(options) : listErrors(options);
  if (errors.length > 0) throw invalid('meta.k8s.io', 'ListOptions', '', errors);
  return options;
}

/** A resourceVersion given by a client: a decimal number, or empty. */
export function parseRevision(text: string | null | undefined): number | undefined {
  if (text === null || text === undefined || text === '') return undefined;
  if (!/^\d{1,15}$/.test(text)) throw badRequest(`Invalid value: ${JSON.stringify(text)}: resourceVersion must be a number`);
  return Number(text);
}

export function parseBool(query: URLSearchParams, name: string): boolean | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  if (/^(?:1|t|T|true|TRUE|True)$/.test(text)) return true;
  if (/^(?:0|f|F|false|FALSE|False)$/.test(text)) return false;
  throw badRequest(`invalid value for query parameter ${name}: ${JSON.stringify(text)} is not a boolean`);
}

function wholeNumber(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  if (!/^-?\d{1,15}$/.test(text)) throw badRequest(`invalid value for query parameter ${name}: ${JSON.stringify(text)} is not an integer`);
  const value = Number(text);
  if (value < 0) throw badRequest(`invalid value for query parameter ${name}: must not be negative`);
  return value;
}

const matchField = 'resourceVersionMatch';

function listErrors({ match, revision, continue: token, sendInitialEvents }: ListOptions): FieldError[] {
  const errors: FieldError[] = [];
  if (sendInitialEvents !== undefined) errors.push(fieldForbidden('sendInitialEvents', 'sendInitialEvents is forbidden for list'));
  if (match === '') return errors;
  if (revision === undefined) {
    errors.push(fieldForbidden(matchField, 'resourceVersionMatch is forbidden unless resourceVersion is provided'));
  }
  if (token !== '') errors.push(fieldForbidden(matchField, 'resourceVersionMatch is forbidden when continue is provided'));
  if (match !== 'Exact' && match !== 'NotOlderThan') errors.push(fieldNotSupported(matchField, match, ['Exact', 'NotOlderThan', '']));
  if (match === 'Exact' && revision === 0) {
    errors.push(fieldForbidden(matchField, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'));
  }
  return errors;
}

function watchErrors({ match, sendInitialEvents, allowWatchBookmarks, continue: token }: ListOptions): FieldError[] {
  const errors: FieldError[] = [];
  if (token !== '') errors.push(fieldInvalid('continue', token, 'continue is forbidden for watch'));
  if (match !== '' && sendInitialEvents === undefined) {
    errors.push(fieldForbidden(matchField, 'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided'));
  }
  if (sendInitialEvents !== undefined && match !== 'NotOlderThan') {
    errors.push(fieldForbidden(matchField, 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'));
  }
  if (sendInitialEvents === true && !allowWatchBookmarks) {
    errors.push(fieldForbidden('sendInitialEvents', 'sendInitialEvents requires setting allowWatchBookmarks to true'));
  }
  return errors;
}

/** Where a limited list goes on: behind `after`, in the state of `revision`. */
export interface ContinueToken {
  readonly revision: number;
  readonly after: string;
}

export function encodeContinue({ revision, after }: ContinueToken): string {
  return Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv: revision, start: after })).toString('base64url');
}

/** `prefix` is that of the list; a token made for another list is refused. */
export function decodeContinue(token: string, prefix: string): ContinueToken {
  try {
    const { v, rv, start } = JSON.parse(Buffer.from(token, 'base64url').toString()) as Record<string, unknown>;
    if (v === 'meta.k8s.io/v1' && typeof rv === 'number' && Number.isSafeInteger(rv) && rv > 0 && typeof start === 'string') {
      if (start.startsWith(prefix)) return { revision: rv, after: start };
    }
  } catch (error) {
    throw badRequest(`continue key is not valid: ${String(error)}`, error);
  }
  throw badRequest('continue key is not valid: it does not belong to this list');
}
