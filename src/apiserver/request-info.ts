import { type ObjectVerb, methodVerbs } from '#apis/authorization/v1/verbs.ts';
import { badRequest } from '#apis/meta/status.ts';

/** What a request is about, read off its method and path before anything is looked up (Kubernetes' RequestInfo). */
export type RequestInfo = ResourceInfo | { readonly kind: 'path'; readonly path: string; readonly verb: string };

export interface ResourceInfo {
  readonly kind: 'resource';
  readonly verb: ResourceVerb;
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  /** Empty for cluster-scoped resources and for requests over all namespaces. */
  readonly namespace: string;
  /** Empty for collections. */
  readonly name: string;
  readonly subresource: string;
  /** The path behind the subresource (proxy), with its leading slash, or empty. */
  readonly rest: string;
  readonly path: string;
}

export type ResourceVerb = ObjectVerb | 'list' | 'watch' | 'deletecollection';

/** Segments behind `/namespaces/x/` that are subresources of the namespace, not resources in it. */
const namespaceSubresources = new Set(['status', 'finalize']);

/** Guarantees decoded segments; StatusError 400 for a path that cannot be decoded. */
export function parseRequest(method: string, path: string, query: URLSearchParams): RequestInfo {
  const segments = path.split('/').slice(1).map(decodeSegment);
  const other = { kind: 'path', path, verb: method === 'HEAD' ? 'get' : method.toLowerCase() } as const;
  const core = segments[0] === 'api';
  if (!core && segments[0] !== 'apis') return other;
  const [group = '', version = ''] = core ? ['', segments[1]] : [segments[1], segments[2]];
  const tail = segments.slice(core ? 2 : 3);
  const methodVerb = methodVerbs[method];
  if (tail.length === 0 || tail[0] === '' || methodVerb === undefined) return other;
  if (tail[0] === 'watch') return resource(tail.slice(1), 'watch');
  return resource(tail, methodVerb);

  function resource(parts: readonly string[], verb: ResourceVerb): RequestInfo {
    const [first = '', second = '', third = ''] = parts;
    const inNamespace = first === 'namespaces' && third !== '' && !(core && namespaceSubresources.has(third));
    const [plural = '', name = '', subresource = '', ...rest] = inNamespace ? parts.slice(2) : parts;
    const restPath = rest.length === 0 ? '' : rawRest(path, rest.length);
    const namespace = inNamespace || (core && first === 'namespaces' && second !== '') ? second : '';
    return {
      kind: 'resource',
      verb: name === '' ? collectionVerb(verb, query) : verb === 'get' && isWatch(query) && subresource === '' ? 'watch' : verb,
      group,
      version,
      plural,
      namespace,
      name,
      subresource,
      rest: restPath,
      path,
    };
  }
}

function collectionVerb(verb: ResourceVerb, query: URLSearchParams): ResourceVerb {
  if (verb === 'get') return isWatch(query) ? 'watch' : 'list';
  return verb === 'delete' ? 'deletecollection' : verb;
}

/** `watch=1|true`, in any form Go's ParseBool takes. */
function isWatch(query: URLSearchParams): boolean {
  return /^(?:1|t|T|true|TRUE|True)$/.test(query.get('watch') ?? '');
}

/** The last `count` segments of the path as sent, still percent-encoded. */
function rawRest(path: string, count: number): string {
  return `/${path.split('/').slice(-count).join('/')}`;
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch (error) {
    throw badRequest(`invalid percent-encoding in the request path: ${segment}`, error);
  }
}
