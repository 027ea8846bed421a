import { objectMetaSchema } from '#apis/meta/object.ts';
import { badRequest, type StatusError } from '#apis/meta/status.ts';
import { apiError } from '#apiserver/errors.ts';
import type { ApiRequest } from '#apiserver/request.ts';
import type { Schema } from '#apis/schema.ts';
import { BodyError, parseBody } from '#machinery/body.ts';
import { isObject, type JsonObject, type JsonValue } from '#machinery/deep.ts';
import { DecodeError, decodeFailure } from '#machinery/decode.ts';
import { jsonTypeName, restoringText } from '#machinery/go-types.ts';
import { decodeProtobuf, parseEnvelope, ProtobufError } from '#machinery/protobuf.ts';

/** A body as an object, not yet held against its schema. The value is private to the receiver. */
export interface ReceivedObject {
  readonly value: JsonObject;
  /** Findings of strict decoding that are lost in the value: members given twice. */
  readonly duplicates: readonly string[];
  readonly bytes: Uint8Array;
}

const objectTypes = 'application/json, application/yaml, application/vnd.kubernetes.protobuf';
const protobuf = 'application/vnd.kubernetes.protobuf';
const noBytes = new Uint8Array();

/** What a body may be: the kind it has to be, and the schema for reading it as protobuf. */
export interface Expectation {
  /** Undefined: any. */
  readonly apiVersion: string | undefined;
  readonly kind: string;
  readonly schema: Schema;
}

/** Media type of a request's body, without parameters; JSON when it does not say. */
export function contentTypeOf(request: ApiRequest): string {
  const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  return type === '' ? 'application/json' : type;
}

/**
 * Reads the object in a body: JSON, YAML or protobuf, or the object itself from an in-process caller. 400 for what cannot be read or is of another kind, 415 for other media types.
 */
export async function receiveObject(request: ApiRequest, expected: Expectation): Promise<ReceivedObject> {
  const content = (await request.body?.read()) ?? { bytes: noBytes };
  if ('object' in content) return checked(content.object as JsonValue, [], noBytes, expected);
  const { bytes } = content;
  const type = contentTypeOf(request);
  if (type === protobuf) return fromProtobuf(bytes, expected);
  const format = type === 'application/json' ? 'json' : type === 'application/yaml' ? 'yaml' : undefined;
  if (format === undefined) throw apiError('unsupportedMediaType', objectTypes);
  try {
    const { value, duplicates } = parseBody(bytes, format);
    return checked(value, duplicates, bytes, expected);
  } catch (error) {
    if (!(error instanceof BodyError)) throw error;
    throw unreadable(error, expected, bytes);
  }
}

/** A JSON or YAML document whose shape the caller checks (patches). */
export async function receiveDocument(
  request: ApiRequest,
  format: 'json' | 'yaml',
): Promise<{ value: JsonValue; duplicates: readonly string[] }> {
  const content = (await request.body?.read()) ?? { bytes: noBytes };
  if ('object' in content) return { value: content.object as JsonValue, duplicates: [] };
  try {
    return parseBody(content.bytes, format);
  } catch (error) {
    if (error instanceof BodyError) throw badRequest(`error decoding patch: ${error.message}`, error);
    throw error;
  }
}

function fromProtobuf(bytes: Uint8Array, expected: Expectation): ReceivedObject {
  try {
    const { apiVersion, kind, raw } = parseEnvelope(bytes);
    checkType({ apiVersion, kind }, expected, bytes);
    const value: JsonObject = { ...decodeProtobuf(raw, expected.schema), apiVersion, kind };
    normalizeMetadata(value);
    return { value, duplicates: [], bytes };
  } catch (error) {
    if (!(error instanceof ProtobufError)) throw error;
    throw unreadable(error, expected, bytes);
  }
}

function checked(value: JsonValue, duplicates: readonly string[], bytes: Uint8Array, expected: Expectation): ReceivedObject {
  if (!isObject(value))
    throw unreadable(new BodyError(`json: cannot unmarshal ${jsonTypeName(value)} into Go value of type struct`), expected, bytes);
  checkType(value, expected, bytes);
  if (expected.apiVersion !== undefined) value['apiVersion'] = expected.apiVersion;
  value['kind'] = expected.kind;
  normalizeMetadata(value);
  return { value, duplicates, bytes };
}

/** A missing apiVersion or kind is that of the resource; another one is refused. */
function checkType(value: JsonObject, expected: Expectation, bytes: Uint8Array): void {
  const { apiVersion = '', kind = '' } = value;
  if (typeof apiVersion !== 'string' || typeof kind !== 'string')
    throw unreadable(new BodyError('apiVersion and kind must be strings'), expected, bytes);
  if (kind !== '' && kind !== expected.kind)
    throw badRequest(`the kind in the data (${kind}) does not match the expected kind (${expected.kind})`);
  if (apiVersion !== '' && expected.apiVersion !== undefined && apiVersion !== expected.apiVersion)
    throw badRequest(`the API version in the data (${apiVersion}) does not match the expected API version (${expected.apiVersion})`);
}

const metadataStrings = ['name', 'generateName', 'namespace', 'uid', 'resourceVersion'];

/** Makes metadata an object whose identifying fields are strings or absent, so that what runs before decoding can rely on it. */
export function normalizeMetadata(value: JsonObject, refuse = (error: DecodeError) => undecodable(value, error)): void {
  const metadata = value['metadata'] ?? {};
  const wrong = (given: JsonValue, field: string, type: string, schema: Schema) =>
    refuse(
      new DecodeError(
        `json: cannot unmarshal ${jsonTypeName(given)} into Go struct field ${field} of type ${type}`,
        undefined,
        restoringText(given, schema),
      ),
    );
  if (!isObject(metadata)) throw wrong(metadata, `${textOf(value['kind'])}.metadata`, 'v1.ObjectMeta', objectMetaSchema);
  for (const field of metadataStrings) {
    const given = metadata[field];
    if (given === null) delete metadata[field];
    else if (given !== undefined && typeof given !== 'string')
      throw wrong(given, `ObjectMeta.metadata.${field}`, 'string', { type: 'string' });
  }
  value['metadata'] = metadata;
}

function undecodable(value: JsonObject, error: DecodeError): StatusError {
  const kind = textOf(value['kind']);
  return decodeFailure(error, kind, { version: textOf(value['apiVersion']).split('/').at(-1) ?? '', kind }, noBytes);
}

const textOf = (value: JsonValue | undefined): string => (typeof value === 'string' ? value : '');

function unreadable(error: Error, expected: Expectation, bytes: Uint8Array): StatusError {
  return decodeFailure(
    new Error(`couldn't get version/kind; json parse error: ${error.message}`, { cause: error }),
    expected.kind,
    undefined,
    bytes,
  );
}
