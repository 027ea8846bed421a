import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Service } from '#apis/core/v1/service.ts';
import type { EndpointSlice } from '#apis/discovery/v1/endpoint-slice.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import type { Lister } from '#client/informer-types.ts';
import { decodeQuery, encodeAnswer, encodeQuery, readName, recordTypes } from '#node/dns/message.ts';
import { ClusterZone } from '#node/dns/zone.ts';

function lister<T extends KubeObject>(objects: readonly T[]): Lister<T> {
  return {
    get: (namespace, name) => objects.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name),
    list: (namespace) => objects.filter(({ metadata }) => namespace === undefined || metadata.namespace === namespace),
    byIndex: (_, value) =>
      objects.filter(({ metadata }) => `${metadata.namespace}/${metadata.labels?.['kubernetes.io/service-name']}` === value),
  };
}
const service = (name: string, spec: Service['spec']): Service =>
  ({ metadata: { namespace: 'default', name }, spec: spec ?? {} }) as Service;

const services = [
  service('web', { clusterIP: '10.96.0.7', ports: [{ name: 'http', port: 80 }] }),
  service('db', { clusterIP: 'None', ports: [{ name: 'sql', port: 5432 }] }),
  service('out', { type: 'ExternalName', externalName: 'example.com' }),
  service('alias', { type: 'ExternalName', externalName: 'web.default.svc.cluster.local' }),
];
const slice: EndpointSlice = {
  metadata: { namespace: 'default', name: 'db-1', labels: { 'kubernetes.io/service-name': 'db' } },
  addressType: 'IPv4',
  ports: [{ name: 'sql', port: 5432, protocol: 'TCP' }],
  endpoints: [
    { addresses: ['10.88.0.4'], hostname: 'db-0', conditions: { ready: true } },
    { addresses: ['10.88.0.5'], conditions: { ready: true } },
    { addresses: ['10.88.0.6'], conditions: { ready: false } },
  ],
};
const zone = new ClusterZone({ services: lister(services), endpointSlices: lister([slice]), clusterDomain: 'cluster.local' });

/** The answer as text: `NXDOMAIN`, or its records. */
function ask(name: string, type: number = recordTypes.A): string {
  const answer = zone.answer({ name, type, class: 1 });
  if (answer === undefined) return 'not ours';
  if (answer.code === 3) return 'NXDOMAIN';
  return answer.answers.map(({ type: kind, data }) => text(kind, data)).join(' ') || 'NODATA';
}

function text(type: number, data: Buffer): string {
  if (type === recordTypes.A) return [...data].join('.');
  if (type === recordTypes.SRV) return `${readName(data, 6)?.text}:${data.readUInt16BE(4)}`;
  return `->${readName(data, 0)?.text}`;
}

describe('the cluster zone', () => {
  const table: readonly (readonly [string, number, string])[] = [
    ['web.default.svc.cluster.local', recordTypes.A, '10.96.0.7'],
    ['web.default.svc.cluster.local', recordTypes.AAAA, 'NODATA'],
    ['nobody.default.svc.cluster.local', recordTypes.A, 'NXDOMAIN'],
    ['db.default.svc.cluster.local', recordTypes.A, '10.88.0.4 10.88.0.5'],
    ['db-0.db.default.svc.cluster.local', recordTypes.A, '10.88.0.4'],
    ['10-88-0-5.db.default.svc.cluster.local', recordTypes.A, '10.88.0.5'],
    ['db-9.db.default.svc.cluster.local', recordTypes.A, 'NXDOMAIN'],
    ['_http._tcp.web.default.svc.cluster.local', recordTypes.SRV, 'web.default.svc.cluster.local:80'],
    [
      '_sql._tcp.db.default.svc.cluster.local',
      recordTypes.SRV,
      'db-0.db.default.svc.cluster.local:5432 10-88-0-5.db.default.svc.cluster.local:5432',
    ],
    ['_nope._tcp.web.default.svc.cluster.local', recordTypes.SRV, 'NXDOMAIN'],
    ['out.default.svc.cluster.local', recordTypes.A, '->example.com'],
    ['alias.default.svc.cluster.local', recordTypes.A, '->web.default.svc.cluster.local 10.96.0.7'],
    ['10-88-0-4.default.pod.cluster.local', recordTypes.A, '10.88.0.4'],
    ['10-88-0-999.default.pod.cluster.local', recordTypes.A, 'NXDOMAIN'],
    ['default.svc.cluster.local', recordTypes.A, 'NODATA'],
    ['empty.svc.cluster.local', recordTypes.A, 'NXDOMAIN'],
    ['svc.cluster.local', recordTypes.A, 'NODATA'],
    ['7.0.96.10.in-addr.arpa', recordTypes.PTR, '->web.default.svc.cluster.local'],
    ['example.com', recordTypes.A, 'not ours'],
    ['notcluster.local', recordTypes.A, 'not ours'],
  ];
  for (const [name, type, expected] of table) {
    it(`answers ${name} type ${type} with ${expected}`, () => assert.equal(ask(name, type), expected));
  }
});

describe('dns messages', () => {
  it('carry the question back and mark what does not fit as truncated', () => {
    const query = decodeQuery(encodeQuery(7, 'Web.Default.svc', recordTypes.A));
    assert.ok(query !== undefined);
    assert.equal(query.question.name, 'web.default.svc');
    const answers = Array.from({ length: 100 }, () => ({ name: 'a.b', type: 1, ttlSeconds: 5, data: Buffer.alloc(4) }));
    const small = encodeAnswer(query, { code: 0, answers, authority: [] }, 512);
    assert.equal(small.readUInt16BE(0), 7);
    assert.equal(small.readUInt16BE(2) & 0x0200, 0x0200);
    assert.equal(small.length, 12 + query.questionBytes.length);
    const whole = encodeAnswer(query, { code: 0, answers, authority: [] }, 65_535);
    assert.equal(whole.readUInt16BE(6), 100);
  });

  it('that are cut off, loop or are answers themselves are not queries', () => {
    const good = encodeQuery(1, 'a.b', 1);
    for (let length = 0; length < good.length; length += 1) assert.equal(decodeQuery(good.subarray(0, length)), undefined);
    const loop = Buffer.concat([good.subarray(0, 12), Buffer.from([0xc0, 12, 0, 1, 0, 1])]);
    assert.equal(decodeQuery(loop), undefined);
    const response = Buffer.from(good);
    response.writeUInt16BE(0x8000, 2);
    assert.equal(decodeQuery(response), undefined);
  });
});
