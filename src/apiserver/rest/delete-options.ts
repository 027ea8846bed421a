import { deleteOptionsSchema, type DeleteOptions } from '#apis/meta/delete-options.ts';
import { fieldForbidden, fieldNotSupported, invalid, type FieldError } from '#apis/meta/field-error.ts';
import { badRequest } from '#apis/meta/status.ts';
import { object, string } from '#apis/schema.ts';
import type { ApiRequest } from '#apiserver/request.ts';
import { receiveObject } from '#apiserver/negotiation/body.ts';
import { parseBool } from '#apiserver/rest/list-options.ts';
import { dryRunOf } from '#apiserver/rest/write-options.ts';
import { decode, DecodeError } from '#machinery/decode.ts';

export interface ParsedDeleteOptions extends DeleteOptions {
  readonly dryRunAll: boolean;
}

const bodySchema = object(null, { ...deleteOptionsSchema.properties, apiVersion: string(), kind: string() });
const policies = ['Foreground', 'Background', 'Orphan'];

/** DeleteOptions from the body or, without one, from the query. StatusError 400 or 422 when they make no sense. */
export async function readDeleteOptions(request: ApiRequest): Promise<ParsedDeleteOptions> {
  const options = (await fromBody(request)) ?? fromQuery(request.query);
  const errors: FieldError[] = [];
  const dryRunAll = dryRunOf([...(options.dryRun ?? []), ...request.query.getAll('dryRun')], errors);
  const { propagationPolicy, orphanDependents } = options;
  if (propagationPolicy !== undefined && orphanDependents !== undefined)
    errors.push(fieldForbidden('propagationPolicy', 'orphanDependents and deletionPropagation cannot be both set'));
  if (propagationPolicy !== undefined && !policies.includes(propagationPolicy))
    errors.push(fieldNotSupported('propagationPolicy', propagationPolicy, policies));
  if (errors.length > 0) throw invalid('meta.k8s.io', 'DeleteOptions', '', errors);
  return { ...options, dryRunAll };
}

async function fromBody(request: ApiRequest): Promise<DeleteOptions | undefined> {
  const content = await request.body?.read();
  if (content === undefined || ('bytes' in content ? content.bytes.length === 0 : content.object === undefined)) return undefined;
  return decodeDeleteOptions({
    ...request,
    body: { read: () => Promise.resolve(content), stream: () => request.body?.stream() ?? none() },
  });
}

async function decodeDeleteOptions(request: ApiRequest): Promise<DeleteOptions> {
  // Clients name DeleteOptions after the group version they talk to; every spelling means the same.
  const received = await receiveObject(request, { apiVersion: undefined, kind: 'DeleteOptions', schema: deleteOptionsSchema });
  try {
    return decode(received.value, bodySchema).value as DeleteOptions;
  } catch (error) {
    throw error instanceof DecodeError ? badRequest(`error decoding DeleteOptions: ${error.message}`, error) : error;
  }
}

function fromQuery(query: URLSearchParams): DeleteOptions {
  const grace = query.get('gracePeriodSeconds');
  if (grace !== null && !/^-?\d{1,15}$/.test(grace)) throw badRequest(`invalid gracePeriodSeconds: ${JSON.stringify(grace)}`);
  const policy = query.get('propagationPolicy');
  const orphan = parseBool(query, 'orphanDependents');
  return {
    ...(grace === null ? {} : { gracePeriodSeconds: Number(grace) }),
    ...(policy === null ? {} : { propagationPolicy: policy }),
    ...(orphan === undefined ? {} : { orphanDependents: orphan }),
  };
}

async function* none(): AsyncIterable<Uint8Array> {}
