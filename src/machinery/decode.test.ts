import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { objectMetaSchema } from '#apis/meta/object.ts';
import {
  boolean,
  bytes,
  enumeration,
  int32,
  intOrString,
  list,
  listMap,
  map,
  object,
  quantity,
  required,
  string,
  time,
  type Schema,
} from '#apis/schema.ts';
import { BodyError, maxDepth, parseBody, summarizeBody } from './body.ts';
import { decode, decodeFailure, DecodeError, strictDecodingError } from './decode.ts';
import { validateSchema } from './validate.ts';

const container = object('io.k8s.api.core.v1.Container', {
  name: required(string()),
  image: string(),
  env: listMap(object('io.k8s.api.core.v1.EnvVar', { name: required(string()), value: string() }), ['name']),
  limits: map(quantity()),
  tty: boolean(),
});
const deployment: Schema = object('io.k8s.api.apps.v1.Deployment', {
  apiVersion: string(),
  kind: string(),
  metadata: objectMetaSchema,
  spec: object('io.k8s.api.apps.v1.DeploymentSpec', {
    replicas: int32({ default: 1 }),
    strategy: enumeration(['Recreate', 'RollingUpdate'], { default: 'RollingUpdate' }),
    containers: listMap(container, ['name']),
    port: intOrString(),
    at: time(),
    data: bytes(),
    args: list(string()),
  }),
});
const spec = (value: object): object => ({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'a' }, spec: value });
const decodeError = (value: object): string => {
  try {
    decode(value, deployment);
  } catch (error) {
    assert.ok(error instanceof DecodeError);
    return error.message;
  }
  return '';
};

const custom: Schema = {
  type: 'object',
  required: ['spec'],
  properties: {
    spec: {
      type: 'object',
      required: ['x'],
      properties: {
        x: { type: 'integer', minimum: 1, maximum: 5 },
        name: { type: 'string', minLength: 2, maxLength: 4, pattern: '^a' },
        mode: { type: 'string', enum: ['On', 'Off'], default: 'On' },
        maybe: { type: 'string', nullable: true },
        size: { 'x-kubernetes-int-or-string': true },
        free: {
          type: 'object',
          'x-kubernetes-preserve-unknown-fields': true,
          properties: { known: { type: 'object', properties: { a: { type: 'string' } } } },
        },
        template: { type: 'object', 'x-kubernetes-embedded-resource': true, properties: { spec: { type: 'object' } } },
        ports: {
          type: 'array',
          maxItems: 2,
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['port', 'protocol'],
          items: {
            type: 'object',
            required: ['port'],
            properties: { port: { type: 'integer' }, protocol: { type: 'string', default: 'TCP' } },
          },
        },
        when: { type: 'string', format: 'date-time' },
        one: {
          oneOf: [{ required: ['a'] }, { required: ['b'] }],
          type: 'object',
          properties: { a: { type: 'string' }, b: { type: 'string' } },
        },
      },
    },
  },
};
const customErrors = (value: object): string[] =>
  validateSchema(decode({ spec: value }, custom, { custom: true }).value, custom).map((error) => `${error.field}: ${error.message}`);

describe('parseBody', () => {
  test('duplicate members are reported by path, in JSON and YAML', () => {
    assert.deepEqual(parseBody('{"a":{"b":1,"b":2},"c":[{"d":1,"d":"\\"\\\\"}]}', 'json'), {
      value: { a: { b: 2 }, c: [{ d: '"\\' }] },
      duplicates: ['duplicate field "a.b"', 'duplicate field "c[0].d"'],
    });
    const yaml = parseBody('a: 1\nb: yes\nt: 2001-01-01\ns: 1:30\na: 2\n', 'yaml');
    assert.deepEqual(yaml.value, { a: 2, b: true, t: '2001-01-01', s: '1:30' });
    assert.deepEqual(yaml.duplicates, ['yaml: unmarshal errors:\n  line 5: key "a" already set in map']);
  });

  test('syntax errors read like those of Go', () => {
    for (const [text, message] of [
      ['{hello}', "invalid character 'h' looking for beginning of object key string"],
      ['{"a":1', 'unexpected end of JSON input'],
      ['', 'unexpected end of JSON input'],
      ['{"a" 1}', "invalid character '1' after object key"],
      ['[1 2]', "invalid character '2' after array element"],
      ['{} x', "invalid character 'x' after top-level value"],
      ['nul', 'unexpected end of JSON input'],
      ['"\\x"', "invalid character 'x' in string escape code"],
    ] as const)
      assert.throws(() => parseBody(text, 'json'), { name: 'BodyError', message }, text);
  });

  test('deep, polluting and non-UTF-8 bodies are refused', () => {
    assert.throws(() => parseBody('['.repeat(100_000) + ']'.repeat(100_000), 'json'), { message: 'exceeded max depth' });
    assert.throws(() => parseBody('['.repeat(100_000), 'json'), { message: 'exceeded max depth' });
    assert.throws(() => parseBody('[{"__proto__":{"x":1}}]', 'json'), BodyError);
    assert.throws(() => parseBody(new Uint8Array([0x22, 0xff, 0x22]), 'json'), BodyError);
    assert.throws(() => parseBody('a: '.repeat(2) + '{'.repeat(maxDepth * 3), 'yaml'), BodyError);
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghi'
      .split('')
      .map((name, index) => `${name}: &${name} [${Array(9).fill(`*${'abcdefgh'[index]}`).join(',')}]`)
      .join('\n')}`;
    assert.throws(() => parseBody(bomb, 'yaml'), BodyError);
  });

  test('any valid JSON comes out as JSON.parse gives it, without duplicates', () => {
    fc.assert(
      fc.property(fc.json({ noUnicodeString: false }), fc.constantFrom(0, 2), (text, indent) => {
        if (text.includes('__proto__')) return;
        const pretty = JSON.stringify(JSON.parse(text), null, indent);
        assert.deepEqual(parseBody(pretty, 'json'), { value: JSON.parse(pretty) as unknown, duplicates: [] });
      }),
    );
  });

  test('any text is parsed or refused with BodyError', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('{', '}', '[', ']', '"', ':', ',', '1', '-', 'a', '\\', '\n', ' ', '&a', '*a', '- ') }),
        (text) => {
          for (const format of ['json', 'yaml'] as const) {
            try {
              parseBody(text, format);
            } catch (error) {
              assert.ok(error instanceof BodyError, String(error));
            }
          }
        },
      ),
    );
  });
});

describe('decode', () => {
  test('quantities of built-in kinds become canonical; custom kinds keep the text', () => {
    const limits = { a: '0.1', b: '1024Mi', c: 1, d: ' 1000m ', e: 0.25, f: '2e3', g: '250m' };
    const stored = (custom: boolean) => decode(spec({ containers: [{ limits }] }), deployment, { custom, defaults: false }).value['spec'];
    const canonical = { a: '100m', b: '1Gi', c: '1', d: '1', e: '250m', f: '2e3', g: '250m' };
    assert.deepEqual(stored(false), { containers: [{ limits: canonical }] });
    assert.deepEqual(stored(true), { containers: [{ limits }] });
  });

  test('a wrong type in a built-in kind reads like Go', () => {
    for (const [value, message] of [
      [{ replicas: 'x' }, 'json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32'],
      [{ replicas: 1.5 }, 'json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32'],
      [{ replicas: 3e9 }, 'json: cannot unmarshal number 3000000000 into Go struct field DeploymentSpec.spec.replicas of type int32'],
      [{ containers: {} }, 'json: cannot unmarshal object into Go struct field DeploymentSpec.spec.containers of type []v1.Container'],
      [{ containers: [{ image: 3 }] }, 'json: cannot unmarshal number into Go struct field Container.spec.containers.image of type string'],
      [
        { containers: [{ limits: { cpu: 'x' } }] },
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
      ],
      [{ at: 'noon' }, 'parsing time "noon" as "2006-01-02T15:04:05Z07:00": cannot parse "noon" as "2006"'],
      [{ data: '%' }, 'illegal base64 data at input byte 0'],
    ] as const)
      assert.equal(decodeError(spec(value)), message);
    assert.equal(
      decodeError({ metadata: { labels: { a: 1 } } }),
      'json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string',
    );
    const failure = decodeFailure(new DecodeError('no'), 'Deployment', { version: 'v1', kind: 'Deployment' }, new Uint8Array());
    assert.equal(failure.message, 'Deployment in version "v1" cannot be handled as a Deployment: no');
    assert.equal(summarizeBody(Buffer.from('hi')), '6869');
  });

  test('unknown fields are pruned and reported by path', () => {
    const input = spec({ foo: 1, containers: [{ name: 'a', bar: {} }] });
    const { value, strictErrors } = decode(input, deployment);
    assert.deepEqual(strictErrors, ['unknown field "spec.foo"', 'unknown field "spec.containers[0].bar"']);
    assert.deepEqual(value['spec'], { containers: [{ name: 'a' }], replicas: 1, strategy: 'RollingUpdate' });
    assert.equal(
      strictDecodingError(strictErrors).message,
      'strict decoding error: unknown field "spec.foo", unknown field "spec.containers[0].bar"',
    );
    assert.ok('foo' in (input as { spec: object }).spec);
  });

  test('null means absent in a built-in kind, the zero value in its maps and lists; times become UTC', () => {
    const { value } = decode(spec({ replicas: null, args: [null], port: 'http', at: '2026-01-01T01:00:00.5+01:00' }), deployment, {
      defaults: false,
    });
    assert.deepEqual(value['spec'], { args: [''], port: 'http', at: '2026-01-01T00:00:00Z' });
  });

  test('custom kinds: nulls, defaults, preserved and embedded parts', () => {
    const decoded = decode(
      {
        apiVersion: 'x/v1',
        kind: 'X',
        metadata: { name: 'a', nope: 1 },
        extra: 1,
        spec: {
          mode: null,
          maybe: null,
          x: null,
          free: { any: { b: 1 }, known: { a: 'a', b: 1 } },
          template: { apiVersion: 'v1', kind: 'P', metadata: { name: 'p' }, zz: 1 },
          ports: [{ port: 1 }],
        },
      },
      custom,
      { custom: true },
    );
    assert.deepEqual(decoded.value, {
      apiVersion: 'x/v1',
      kind: 'X',
      metadata: { name: 'a' },
      spec: {
        maybe: null,
        mode: 'On',
        free: { any: { b: 1 }, known: { a: 'a' } },
        template: { apiVersion: 'v1', kind: 'P', metadata: { name: 'p' } },
        ports: [{ port: 1, protocol: 'TCP' }],
      },
    });
    assert.equal(decoded.strictErrors.length, 4);
    assert.throws(() => decode({ metadata: { labels: 'x' } }, custom, { custom: true }), DecodeError);
  });

  test('arbitrary JSON is decoded or refused with DecodeError, and what was decoded decodes to itself', () => {
    const value = fc.oneof(fc.jsonValue(), fc.dictionary(fc.constantFrom('spec', 'metadata', 'replicas', 'labels'), fc.jsonValue()));
    fc.assert(
      fc.property(value, fc.boolean(), (input, isCustom) => {
        const schema = isCustom ? custom : deployment;
        try {
          const once = decode(input, schema, { custom: isCustom }).value;
          validateSchema(once, schema);
          assert.deepEqual(decode(once, schema, { custom: isCustom }), { value: once, strictErrors: [] });
        } catch (error) {
          assert.ok(error instanceof DecodeError, String(error));
        }
      }),
    );
  });
});

describe('validateSchema', () => {
  test('findings read like those of kube-apiserver', () => {
    assert.deepEqual(customErrors({}), ['spec.x: Required value']);
    for (const [value, error] of [
      [{ x: 'a' }, 'spec.x: Invalid value: "string": spec.x in body must be of type integer: "string"'],
      [{ x: 0 }, 'spec.x: Invalid value: 0: spec.x in body should be greater than or equal to 1'],
      [{ x: 6 }, 'spec.x: Invalid value: 6: spec.x in body should be less than or equal to 5'],
      [{ x: 1, name: 'a' }, 'spec.name: Invalid value: "a": spec.name in body should be at least 2 chars long'],
      [{ x: 1, name: 'abcde' }, 'spec.name: Too long: may not be more than 4 bytes'],
      [{ x: 1, name: 'ba' }, 'spec.name: Invalid value: "ba": spec.name in body should match \'^a\''],
      [{ x: 1, mode: 'Up' }, 'spec.mode: Unsupported value: "Up": supported values: "On", "Off"'],
      [{ x: 1, size: true }, 'spec.size: Invalid value: "boolean": spec.size in body must be of type integer,string: "boolean"'],
      [{ x: 1, when: 'now' }, 'spec.when: Invalid value: "now": spec.when in body must be of type date-time: "now"'],
      [{ x: 1, ports: [{ port: 1 }, { port: 1, protocol: 'TCP' }] }, 'spec.ports[1]: Duplicate value: {"port":1,"protocol":"TCP"}'],
      [{ x: 1, ports: [{ port: 1 }, { port: 2 }, { port: 3 }] }, 'spec.ports: Too many: 3: must have at most 2 items'],
      [{ x: 1, one: {} }, 'spec.one: Invalid value: "": "spec.one" must validate one and only one schema (oneOf). Found none valid'],
      [
        { x: 1, one: { a: '', b: '' } },
        'spec.one: Invalid value: "": "spec.one" must validate one and only one schema (oneOf). Found 2 valid alternatives',
      ],
      [{ x: 1, template: { apiVersion: 'v1' } }, 'spec.template.kind: Required value: must not be empty'],
    ] as const)
      assert.deepEqual(customErrors(value), [error]);
    assert.deepEqual(customErrors({ x: 1, maybe: null, size: '5%', one: { a: 'x' } }), []);
  });
});
