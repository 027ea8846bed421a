import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import {
  anything,
  boolean,
  bytes,
  double,
  int32,
  int64,
  intOrString,
  list,
  map,
  microTime,
  object,
  quantity,
  string,
  time,
} from '#apis/schema.ts';
import { decodeProtobuf, parseEnvelope, ProtobufError } from './protobuf.ts';

/** A tiny writer: the reverse of what is tested, kept to what the tests need. */
function varint(value: bigint): number[] {
  const out: number[] = [];
  let rest = BigInt.asUintN(64, value);
  for (; rest > 127n; rest >>= 7n) out.push(Number(rest & 127n) | 128);
  out.push(Number(rest));
  return out;
}
const int = (field: number, value: number): number[] => [...varint(BigInt(field * 8)), ...varint(BigInt(value))];
const block = (field: number, body: readonly number[] | string): number[] => {
  const data = typeof body === 'string' ? [...Buffer.from(body)] : body;
  return [...varint(BigInt(field * 8 + 2)), ...varint(BigInt(data.length)), ...data];
};
const of = (...fields: number[][]): Uint8Array => Uint8Array.from(fields.flat());

const container = object('C', { name: [1, string()], tty: [2, boolean()], path: [[3, 1], string()], port: [[3, 2], intOrString()] });
const schema = object('X', {
  name: [1, string()],
  replicas: [2, int32()],
  generation: [3, int64()],
  labels: [4, map(string())],
  containers: [5, list(container)],
  limits: [6, map(quantity())],
  at: [7, time()],
  micro: [8, microTime()],
  data: [9, map(bytes())],
  raw: [10, anything()],
  extra: [11, map(list(string()))],
  ratio: [12, double()],
  numbers: [13, list(int32())],
  port: [14, intOrString()],
});

describe('protobuf', () => {
  test('every kind of field becomes its JSON', () => {
    const message = of(
      block(1, 'web'),
      int(2, 0),
      int(3, -5),
      block(4, [...block(1, 'k'), ...block(2, 'v')]),
      block(4, [...block(1, 'empty'), ...block(2, '')]),
      block(5, [...block(1, 'c'), ...int(2, 1), ...block(3, [...block(1, '/p'), ...block(2, [...int(1, 1), ...block(3, 'http')])])]),
      block(5, [...block(1, 'd'), ...int(2, 0)]),
      block(6, [...block(1, 'cpu'), ...block(2, block(1, '100m'))]),
      block(7, [...int(1, 1_700_000_000), ...int(2, 5)]),
      block(8, [...int(1, 1_700_000_000), ...int(2, 5000)]),
      block(9, [...block(1, 'b'), ...block(2, [1, 2, 255])]),
      block(10, block(1, '{"a":[1]}')),
      block(11, [...block(1, 'scopes'), ...block(2, [...block(1, 'x'), ...block(1, 'y')])]),
      [12 * 8 + 1, ...new Uint8Array(new Float64Array([1.5]).buffer)],
      int(13, 7),
      block(13, [8, 9]),
      block(14, int(2, 80)),
      block(99, 'unknown'),
      int(98, 1),
    );
    assert.deepEqual(decodeProtobuf(message, schema), {
      name: 'web',
      replicas: 0,
      generation: -5,
      labels: { k: 'v', empty: '' },
      containers: [{ name: 'c', tty: true, path: '/p', port: 'http' }, { name: 'd' }],
      limits: { cpu: '100m' },
      at: '2023-11-14T22:13:20Z',
      micro: '2023-11-14T22:13:20.000005Z',
      data: { b: 'AQL/' },
      raw: { a: [1] },
      extra: { scopes: ['x', 'y'] },
      ratio: 1.5,
      numbers: [7, 8, 9],
      port: 80,
    });
  });

  test('zeroes that say nothing are left out, an unset time too', () => {
    assert.deepEqual(decodeProtobuf(of(block(1, ''), int(3, 0), block(7, [])), schema), {});
  });

  test('the envelope of Kubernetes opens', () => {
    const typeMeta = block(1, [...block(1, 'v1'), ...block(2, 'Namespace')]);
    const body = of([0x6b, 0x38, 0x73, 0], typeMeta, block(2, block(1, 'x')), block(3, ''), block(4, ''));
    const { apiVersion, kind, raw } = parseEnvelope(body);
    assert.deepEqual([apiVersion, kind, decodeProtobuf(raw, schema)], ['v1', 'Namespace', { name: 'x' }]);
    assert.throws(() => parseEnvelope(of([1, 2, 3, 4])), ProtobufError);
  });

  test('malformed messages are refused', () => {
    for (const [bytesGiven, message] of [
      [of([10, 5, 65]), 'unexpected EOF'],
      [of([10]), 'unexpected EOF'],
      [of(int(1, 1)), 'proto: wrong wireType = 0 for field 1'],
      [of([11]), 'proto: illegal wireType 3'],
      [of([0]), 'proto: illegal tag 0'],
      [of([16, ...Array<number>(10).fill(0xff), 1]), 'proto: integer overflow'],
      [of(block(1, [0xff])), 'proto: field 1 contains invalid UTF-8'],
      [of(block(10, block(1, '{'))), 'embedded JSON: unexpected end of JSON input'],
    ] as const)
      assert.throws(() => decodeProtobuf(bytesGiven, schema), { name: 'ProtobufError', message });
  });

  test('arbitrary bytes are decoded or refused with ProtobufError', () => {
    const piece = fc.oneof(
      fc.tuple(fc.integer({ min: 1, max: 15 }), fc.uint8Array({ maxLength: 20 })).map(([field, body]) => block(field, [...body])),
      fc.tuple(fc.integer({ min: 1, max: 15 }), fc.nat()).map(([field, value]) => int(field, value)),
      fc.uint8Array({ maxLength: 4 }).map((body) => [...body]),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 5 }), (pieces) => {
        for (const body of [of(...pieces), of([0x6b, 0x38, 0x73, 0], ...pieces)]) {
          try {
            JSON.stringify(decodeProtobuf(body, schema));
            parseEnvelope(body);
          } catch (error) {
            assert.ok(error instanceof ProtobufError, String(error));
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});
