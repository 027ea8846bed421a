import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { endpointsDefinition } from '#apis/core/v1/endpoints.ts';
import { serviceDefinition, type Service } from '#apis/core/v1/service.ts';
import { endpointSliceDefinition } from '#apis/discovery/v1/endpoint-slice.ts';
import { cells, refine } from '#apis/meta/test-kit.ts';

const service = (spec: object = {}) => ({ metadata: { name: 's', namespace: 'default' }, spec: { ports: [{ port: 80 }], ...spec } });
const fill = (spec: object = {}) => refine(serviceDefinition, service(spec)).object['spec'];
const errorsOf = (spec: object) => refine(serviceDefinition, service(spec)).errors;

describe('services', () => {
  it('have the defaults of kube-apiserver', () => {
    assert.deepEqual(fill(), {
      ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }],
      sessionAffinity: 'None',
      type: 'ClusterIP',
      internalTrafficPolicy: 'Cluster',
    });
    assert.deepEqual(fill({ type: 'LoadBalancer', sessionAffinity: 'ClientIP', ports: [{ port: 1, targetPort: 'http' }] }), {
      ports: [{ port: 1, protocol: 'TCP', targetPort: 'http' }],
      sessionAffinity: 'ClientIP',
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 10800 } },
      type: 'LoadBalancer',
      internalTrafficPolicy: 'Cluster',
      externalTrafficPolicy: 'Cluster',
      allocateLoadBalancerNodePorts: true,
    });
  });

  it('begin with the status of no load balancer', () => {
    assert.deepEqual(refine(serviceDefinition, service()).object['status'], { loadBalancer: {} });
  });

  const cases: [string, object, string[]][] = [
    ['no ports', { ports: [] }, ['spec.ports: Required value']],
    ['several ports without names', { ports: [{ port: 1 }, { port: 2, name: 'b' }] }, ['spec.ports[0].name: Required value']],
    [
      'a port twice',
      {
        ports: [
          { port: 1, name: 'a' },
          { port: 1, name: 'b' },
        ],
      },
      ['spec.ports[1]: Duplicate value: {"protocol":"TCP","port":1}'],
    ],
    [
      'port zero',
      { ports: [{ port: 0 }] },
      [
        'spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive',
        'spec.ports[0].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive',
      ],
    ],
    [
      'a node port of a ClusterIP',
      { ports: [{ port: 1, nodePort: 30000 }] },
      ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
    ],
    [
      'a headless load balancer',
      { type: 'LoadBalancer', clusterIP: 'None' },
      ['spec.clusterIPs[0]: Invalid value: "None": may not be set to \'None\' for LoadBalancer services'],
    ],
    ['an external name without name', { type: 'ExternalName', ports: [] }, ['spec.externalName: Required value']],
  ];
  for (const [name, spec, expected] of cases) it(`refuse ${name}`, () => assert.deepEqual(errorsOf(spec), expected));

  it('accept a headless one without ports', () => assert.deepEqual(errorsOf({ ports: [], clusterIP: 'None' }), []));

  it('keep the address and node ports a client leaves out, and refuse another address', () => {
    const given = service({ type: 'NodePort', clusterIP: '10.0.0.5', clusterIPs: ['10.0.0.5'], ports: [{ port: 80, nodePort: 30001 }] });
    const old = refine(serviceDefinition, given).object as unknown as Service;
    const { object, errors } = refine(serviceDefinition, service({ type: 'NodePort' }), { old });
    const { spec } = object as unknown as Service;
    assert.deepEqual(errors, []);
    assert.deepEqual([spec.clusterIP, spec.clusterIPs, spec.ports?.[0]?.nodePort], ['10.0.0.5', ['10.0.0.5'], 30001]);
    assert.deepEqual(refine(serviceDefinition, service({ type: 'NodePort', clusterIP: '10.0.0.6' }), { old }).errors, [
      'spec.clusterIPs[0]: Invalid value: ["10.0.0.6"]: may not change once set',
    ]);
  });

  it('drop node ports when they become a ClusterIP again', () => {
    const old = refine(serviceDefinition, service({ type: 'NodePort', ports: [{ port: 80, nodePort: 30001 }] }))
      .object as unknown as Service;
    const next = service({ ...structuredClone(old.spec), type: 'ClusterIP' });
    const { object, errors } = refine(serviceDefinition, next, { old });
    assert.deepEqual(errors, []);
    assert.equal((object as unknown as Service).spec.ports?.[0]?.nodePort, undefined);
  });

  const columns = serviceDefinition.versions[0]?.columns;
  const row = (spec: object, status: object = {}) => {
    const shown = cells(columns, { metadata: {}, spec, status });
    return [shown['Type'], shown['Cluster-IP'], shown['External-IP'], shown['Port(s)'], shown['Selector']];
  };
  it('show addresses and ports as kubectl does', () => {
    const ports = [
      { port: 80, nodePort: 30001, protocol: 'TCP' },
      { port: 53, protocol: 'UDP' },
    ];
    assert.deepEqual(row({ type: 'NodePort', clusterIP: '10.0.0.1', ports, selector: { b: '2', a: '1' } }), [
      'NodePort',
      '10.0.0.1',
      '<none>',
      '80:30001/TCP,53/UDP',
      'a=1,b=2',
    ]);
    assert.deepEqual(row({ type: 'LoadBalancer', clusterIP: '10.0.0.1' }).slice(2, 4), ['<pending>', '<none>']);
    assert.deepEqual(row({ type: 'LoadBalancer' }, { loadBalancer: { ingress: [{ ip: '1.2.3.4' }, { hostname: 'h' }] } })[2], '1.2.3.4,h');
    assert.deepEqual(row({ type: 'ExternalName', externalName: 'e.com' })[2], 'e.com');
  });
});

describe('endpoints', () => {
  const slice = (address: string, addressType = 'IPv4') => ({
    metadata: { name: 'e' },
    addressType,
    endpoints: [{ addresses: [address] }],
    ports: [{ port: 80 }],
  });
  const loopback = 'may not be in the loopback range (127.0.0.0/8, ::1/128)';
  const cases: [string, string, string | undefined][] = [
    ['10.0.0.1', 'IPv4', undefined],
    ['127.0.0.1', 'IPv4', loopback],
    ['::1', 'IPv6', loopback],
    ['0:0:0:0:0:0:0:1', 'IPv6', loopback],
    ['::ffff:127.0.0.1', 'IPv6', loopback],
    ['0.0.0.0', 'IPv4', 'may not be unspecified (0.0.0.0 or ::)'],
    ['169.254.1.1', 'IPv4', 'may not be in the link-local range (169.254.0.0/16, fe80::/10)'],
    ['fe80::1', 'IPv6', 'may not be in the link-local range (169.254.0.0/16, fe80::/10)'],
    ['fd00::1', 'IPv4', 'must be an IPv4 address'],
    ['example.com', 'FQDN', undefined],
  ];
  for (const [address, type, text] of cases) {
    it(`of ${type} ${text === undefined ? 'may' : 'may not'} be ${address}`, () => {
      const expected = text === undefined ? [] : [`endpoints[0].addresses[0]: Invalid value: "${address}": ${text}`];
      assert.deepEqual(refine(endpointSliceDefinition, slice(address, type)).errors, expected);
    });
  }

  it('refuse loopback in the old form too', () => {
    const object = { metadata: { name: 'e' }, subsets: [{ addresses: [{ ip: '127.0.0.1' }], ports: [{ port: 80 }] }] };
    assert.deepEqual(refine(endpointsDefinition, object).errors, [`subsets[0].addresses[0].ip: Invalid value: "127.0.0.1": ${loopback}`]);
  });

  it('keep their address type', () => {
    const old = slice('10.0.0.1') as never;
    assert.deepEqual(refine(endpointSliceDefinition, { ...slice('fd00::1', 'IPv6') }, { old }).errors, [
      'addressType: Invalid value: "IPv6": field is immutable',
    ]);
  });

  it('show three addresses and count the others', () => {
    const object = { ...slice('10.0.0.1'), endpoints: [{ addresses: ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4'] }] };
    const shown = cells(endpointSliceDefinition.versions[0]?.columns, object);
    assert.equal(shown['Endpoints'], '10.0.0.1,10.0.0.2,10.0.0.3 + 1 more...');
    const subsets = [{ addresses: [{ ip: '10.0.0.1' }, { ip: 'fd00::1' }], ports: [{ port: 80 }] }];
    assert.equal(cells(endpointsDefinition.versions[0]?.columns, { metadata: {}, subsets })['Endpoints'], '10.0.0.1:80,[fd00::1]:80');
  });
});
