import { protobufEmbedded, protobufFields, protobufScalar, type Schema } from '#apis/schema.ts';
import { BodyError, parseBody } from './body.ts';
import { setOwn, type JsonObject, type JsonValue } from './deep.ts';
import { formatGoDuration } from '#core/duration.ts';
import { ProtobufError, ProtobufReader } from './protobuf-reader.ts';

export { ProtobufError };

const magic = Uint8Array.of(0x6b, 0x38, 0x73, 0x00);
const maxDepth = 100;

export interface Envelope {
  readonly apiVersion: string;
  readonly kind: string;
  /** The message of the kind itself. */
  readonly raw: Uint8Array;
}

/** Opens `k8s\0` + runtime.Unknown, the form of every protobuf body of Kubernetes. Throws ProtobufError. */
export function parseEnvelope(bytes: Uint8Array): Envelope {
  if (bytes.length < magic.length || magic.some((byte, index) => bytes[index] !== byte))
    throw new ProtobufError('provided data does not appear to be a protobuf message, expected prefix 6b387300');
  const reader = new ProtobufReader(bytes.subarray(magic.length));
  let [apiVersion, kind, raw] = ['', '', bytes.subarray(bytes.length)];
  while (reader.next()) {
    if (reader.field === 1) {
      const meta = new ProtobufReader(reader.bytes());
      while (meta.next()) {
        if (meta.field === 1) apiVersion = meta.string();
        else if (meta.field === 2) kind = meta.string();
        else meta.skip();
      }
    } else if (reader.field === 2) raw = reader.bytes();
    else if (reader.field === 3 && reader.string() !== '') throw new ProtobufError('the content encoding of a protobuf body must be empty');
    else if (reader.field > 3) reader.skip();
  }
  return { apiVersion, kind, raw };
}

/**
 * The JSON form of a message, read by the field numbers of its schema. Unknown fields are skipped; scalars that are zero
 * because their Go field is no pointer are left out, as JSON leaves them out. Throws ProtobufError.
 */
export function decodeProtobuf(raw: Uint8Array, schema: Schema): JsonObject {
  const result: JsonObject = {};
  readMessage(new ProtobufReader(raw), messageOf(schema), result, 0);
  return result;
}

interface Field {
  readonly name: string;
  readonly schema: Schema;
}
/** Fields by number; a message number stands for properties JSON has inline. */
interface Message {
  readonly fields: ReadonlyMap<number, Field>;
  readonly embedded: ReadonlyMap<number, Message>;
}

const messages = new WeakMap<Schema, Message>();

function messageOf(schema: Schema): Message {
  let message = messages.get(schema);
  if (message === undefined) {
    message = compileMessage(schema);
    messages.set(schema, message);
  }
  return message;
}

function compileMessage(schema: Schema): Message {
  const properties = schema.properties ?? {};
  const fields = new Map<number, Field>();
  for (const [name, number] of Object.entries(schema[protobufFields] ?? {}))
    fields.set(number, { name, schema: properties[name] as Schema });
  const embedded = new Map<number, { fields: Map<number, Field>; embedded: Map<number, Message> }>();
  for (const [name, [outer, inner]] of Object.entries(schema[protobufEmbedded] ?? {})) {
    const message = embedded.get(outer) ?? { fields: new Map<number, Field>(), embedded: new Map() };
    message.fields.set(inner, { name, schema: properties[name] as Schema });
    embedded.set(outer, message);
  }
  return { fields, embedded };
}

function readMessage(reader: ProtobufReader, message: Message, target: JsonObject, depth: number): void {
  if (depth > maxDepth) throw new ProtobufError('exceeded max depth');
  while (reader.next()) {
    const field = message.fields.get(reader.field);
    if (field === undefined) {
      const inner = message.embedded.get(reader.field);
      if (inner === undefined) reader.skip();
      else readMessage(new ProtobufReader(reader.bytes()), inner, target, depth + 1);
      continue;
    }
    readField(reader, field, target, depth);
  }
}

function readField(reader: ProtobufReader, { name, schema }: Field, target: JsonObject, depth: number): void {
  if (schema.type === 'array' && schema[protobufScalar] === undefined) {
    const list = (target[name] ??= []) as JsonValue[];
    const items = schema.items ?? {};
    if (isPacked(reader, items)) readPacked(reader.bytes(), list);
    else list.push(readValue(reader, items, depth) ?? {});
    return;
  }
  if (typeof schema.additionalProperties === 'object' && schema.properties === undefined) {
    readMapEntry(reader, schema.additionalProperties, (target[name] ??= {}) as JsonObject, depth);
    return;
  }
  const value = readValue(reader, schema, depth);
  if (value !== undefined && !(isZero(value) && !zeroMatters.has(name))) target[name] = value;
}

/** Repeated integers may come as one field. */
function isPacked(reader: ProtobufReader, items: Schema): boolean {
  return reader.wireType === 2 && items.type === 'integer';
}

function readPacked(bytes: Uint8Array, list: JsonValue[]): void {
  const packed = new ProtobufReader(bytes);
  packed.wireType = 0;
  while (!packed.done) list.push(packed.integer());
}

function readMapEntry(reader: ProtobufReader, values: Schema, target: JsonObject, depth: number): void {
  const entry = new ProtobufReader(reader.bytes());
  let key = '';
  let value: JsonValue | undefined;
  while (entry.next()) {
    if (entry.field === 1) key = entry.string();
    else if (entry.field === 2)
      value = values.type === 'array' ? readWrappedList(entry.bytes(), values, depth) : readValue(entry, values, depth);
    else entry.skip();
  }
  setOwn(target, key, value ?? (values.type === 'string' ? '' : values.type === 'array' ? [] : {}));
}

/** A list as a map's value is a message with the items in field 1 (authorization ExtraValue). */
function readWrappedList(bytes: Uint8Array, schema: Schema, depth: number): JsonValue[] {
  const reader = new ProtobufReader(bytes);
  const list: JsonValue[] = [];
  while (reader.next()) {
    if (reader.field === 1) list.push(readValue(reader, schema.items ?? {}, depth + 1) ?? {});
    else reader.skip();
  }
  return list;
}

/** Undefined for a value that stands for none (a time of zero). */
function readValue(reader: ProtobufReader, schema: Schema, depth: number): JsonValue | undefined {
  switch (schema[protobufScalar]) {
    case 'bytes':
      return Buffer.from(reader.bytes()).toString('base64');
    case 'quantity':
      return firstString(reader.bytes());
    case 'time':
      return readTime(reader.bytes(), false);
    case 'microTime':
      return readTime(reader.bytes(), true);
    case 'intOrString':
      return readIntOrString(reader.bytes());
    case 'duration':
      return formatGoDuration(BigInt(firstInteger(reader.bytes())));
    case 'double':
      return reader.double();
    case 'raw':
    case 'fieldsV1':
      return readRaw(reader.bytes());
    default:
      return readPlain(reader, schema, depth);
  }
}

function readPlain(reader: ProtobufReader, schema: Schema, depth: number): JsonValue {
  switch (schema.type) {
    case 'string':
      return reader.string();
    case 'integer':
      return reader.integer();
    case 'boolean':
      return reader.integer() !== 0;
    case 'number':
      return reader.double();
    default: {
      const result: JsonObject = {};
      readMessage(new ProtobufReader(reader.bytes()), messageOf(schema), result, depth + 1);
      return result;
    }
  }
}

function firstString(bytes: Uint8Array): string {
  const reader = new ProtobufReader(bytes);
  let text = '0';
  while (reader.next()) {
    if (reader.field === 1) text = reader.string();
    else reader.skip();
  }
  return text;
}

function firstInteger(bytes: Uint8Array): number {
  const reader = new ProtobufReader(bytes);
  let value = 0;
  while (reader.next()) {
    if (reader.field === 1) value = reader.integer();
    else reader.skip();
  }
  return value;
}

function readTime(bytes: Uint8Array, micro: boolean): string | undefined {
  if (bytes.length === 0) return undefined;
  const reader = new ProtobufReader(bytes);
  let [seconds, nanos] = [0, 0];
  while (reader.next()) {
    if (reader.field === 1) seconds = reader.integer();
    else if (reader.field === 2) nanos = reader.integer();
    else reader.skip();
  }
  const date = new Date(seconds * 1000);
  const year = date.getUTCFullYear();
  if (!(year >= 1 && year <= 9999) || nanos < 0 || nanos > 999_999_999) throw new ProtobufError('a time is out of range');
  if (year === 1) return undefined;
  const whole = date.toISOString().slice(0, 19);
  return micro ? `${whole}.${String(Math.floor(nanos / 1000)).padStart(6, '0')}Z` : `${whole}Z`;
}

function readIntOrString(bytes: Uint8Array): JsonValue {
  const reader = new ProtobufReader(bytes);
  let [type, number, text] = [0, 0, ''];
  while (reader.next()) {
    if (reader.field === 1) type = reader.integer();
    else if (reader.field === 2) number = reader.integer();
    else if (reader.field === 3) text = reader.string();
    else reader.skip();
  }
  return type === 1 ? text : number;
}

/** RawExtension, apiextensions JSON, FieldsV1: JSON text in field 1. */
function readRaw(bytes: Uint8Array): JsonValue | undefined {
  const reader = new ProtobufReader(bytes);
  let value: JsonValue | undefined;
  while (reader.next()) {
    if (reader.field !== 1) {
      reader.skip();
      continue;
    }
    try {
      value = parseBody(reader.bytes(), 'json').value;
    } catch (error) {
      if (error instanceof BodyError) throw new ProtobufError(`embedded JSON: ${error.message}`, error);
      throw error;
    }
  }
  return value;
}

function isZero(value: JsonValue): boolean {
  return value === '' || value === 0 || value === false;
}

/** Scalars whose Go field is a pointer and whose zero says something: protobuf sends them only when they are set. */
const zeroMatters: ReadonlySet<string> = new Set([
  'activeDeadlineSeconds',
  'allocateLoadBalancerNodePorts',
  'allowPrivilegeEscalation',
  'automountServiceAccountToken',
  'averageUtilization',
  'backoffLimit',
  'backoffLimitPerIndex',
  'blockOwnerDeletion',
  'completions',
  'controller',
  'defaultMode',
  'deletionGracePeriodSeconds',
  'enableServiceLinks',
  'failedJobsHistoryLimit',
  'fsGroup',
  'gracePeriodSeconds',
  'hostUsers',
  'immutable',
  'maxFailedIndexes',
  'maxSurge',
  'maxUnavailable',
  'minAvailable',
  'minReplicas',
  'mode',
  'optional',
  'orphanDependents',
  'parallelism',
  'partition',
  'podPidsLimit',
  'priority',
  'privileged',
  'procMount',
  'progressDeadlineSeconds',
  'readOnlyRootFilesystem',
  'ready',
  'replicas',
  'revisionHistoryLimit',
  'runAsGroup',
  'runAsNonRoot',
  'runAsUser',
  'seconds',
  'serving',
  'setHostnameAsFQDN',
  'shareProcessNamespace',
  'stabilizationWindowSeconds',
  'startingDeadlineSeconds',
  'storageClassName',
  'successfulJobsHistoryLimit',
  'suspend',
  'terminating',
  'terminationGracePeriodSeconds',
  'tolerationSeconds',
  'ttlSecondsAfterFinished',
]);
