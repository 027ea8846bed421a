import type { ResourceCall } from '#apiserver/context.ts';
import { keyOfCall, objectsOf } from '#apiserver/context.ts';
import { notFound } from '#apis/meta/status.ts';
import { negotiateShape } from '#apiserver/negotiation/accept.ts';
import type { ApiResponse } from '#apiserver/request.ts';
import { objectResponse, plainResponse } from '#apiserver/rest/commit.ts';
import { includeOf } from '#apiserver/rest/include-object.ts';
import { waitForRevision } from '#apiserver/rest/freshness.ts';
import { parseRevision } from '#apiserver/rest/list-options.ts';
import { viewOf } from '#apiserver/rest/resource-scope.ts';
import { partialMetadata, Table } from '#apiserver/table/table.ts';

/** One object in the asked-for shape; fresh unless the client is content with an older state. */
export async function getResponse(call: ResourceCall): Promise<ApiResponse> {
  const { context, request, served } = call;
  const shape = negotiateShape(request.headers['accept']);
  const revision = parseRevision(request.query.get('resourceVersion'));
  if (revision === undefined) await context.cache.fresh();
  else await waitForRevision(context, revision);
  const { group, plural } = served.definition;
  const cached = objectsOf(context.cache, served.definition).get(keyOfCall(call));
  if (cached === undefined) throw notFound(group, plural, call.info.name);
  if (shape.as === 'object') return objectResponse(call, cached);
  const object = cached.objectIn(viewOf(served));
  if (shape.as === 'metadata') return plainResponse(partialMetadata(object, shape.version));
  const table = Table.of(served.version);
  const head = table.head(shape.version, { resourceVersion: String(cached.revision) }, true);
  const text = `${head}${table.row(object, shape.version, includeOf(request.query), context.clock.now())}]}`;
  return { status: 200, headers: {}, body: { kind: 'text', text, contentType: 'application/json' } };
}
