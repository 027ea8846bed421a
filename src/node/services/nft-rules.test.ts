import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Pod } from '#apis/core/v1/pod.ts';
import type { Service } from '#apis/core/v1/service.ts';
import type { EndpointSlice } from '#apis/discovery/v1/endpoint-slice.ts';
import { renderRules } from '#node/services/nft-rules.ts';

const web = { metadata: { namespace: 'a', name: 'web' }, spec: { clusterIP: '10.96.0.7', ports: [{ port: 80, name: 'http' }] } } as Service;
const slice = (endpoints: EndpointSlice['endpoints'], namespace = 'a'): EndpointSlice => ({
  metadata: { namespace, name: 'web-1', labels: { 'kubernetes.io/service-name': 'web' } },
  addressType: 'IPv4',
  ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
  endpoints: endpoints ?? [],
});
const place = { table: 'dormouse-x', podCidr: '10.88.0.0/16', bridge: 'dm0', listen: '127.0.0.1', hostServices: new Map<string, string>() };
const render = (services: Service[], slices: EndpointSlice[], changes: Partial<typeof place & { pods: Pod[] }> = {}) =>
  renderRules({ ...place, pods: [], ...changes, services, slices });
const chain = (rules: string, name: string) =>
  new RegExp(`chain ${name} \\{\\n([^]*?)\\n? {2}\\}`).exec(rules)?.[1]?.replaceAll(/^ +/gm, '') ?? '';

describe('service rules', () => {
  it('send a ClusterIP port to its one ready endpoint', () => {
    const rules = render(
      [web],
      [
        slice([
          { addresses: ['10.88.0.2'], conditions: { ready: true } },
          { addresses: ['10.88.0.3'], conditions: { ready: false } },
        ]),
      ],
    );
    assert.match(rules, /ip daddr 10\.96\.0\.7 tcp dport 80 dnat to 10\.88\.0\.2:8080\n/);
  });

  it('choose at random among several', () => {
    const rules = render([web], [slice([{ addresses: ['10.88.0.3'] }, { addresses: ['10.88.0.2'] }])]);
    assert.match(rules, /dnat ip to numgen random mod 2 map \{ 0 : 10\.88\.0\.2 \. 8080, 1 : 10\.88\.0\.3 \. 8080 \}/);
  });

  it('refuse a port without endpoints, and use serving ones that are being ended before that', () => {
    assert.match(render([web], []), /chain refused \{\n    ip daddr 10\.96\.0\.7 tcp dport 80 reject/);
    const ending = slice([{ addresses: ['10.88.0.2'], conditions: { ready: false, serving: true, terminating: true } }]);
    assert.match(render([web], [ending]), /dnat to 10\.88\.0\.2:8080/);
  });

  it('answer at node ports, load balancers’ and external addresses', () => {
    const exposed = {
      metadata: web.metadata,
      spec: { ...web.spec, type: 'LoadBalancer', externalIPs: ['192.0.2.4'], ports: [{ port: 80, name: 'http', nodePort: 30_080 }] },
      status: { loadBalancer: { ingress: [{ ip: '127.96.0.7' }] } },
    } as Service;
    const rules = render([exposed], [slice([{ addresses: ['10.88.0.2'] }])]);
    const to = ['10.96.0.7', '192.0.2.4', '127.96.0.7'].map((ip) => `ip daddr ${ip} tcp dport 80 dnat to 10.88.0.2:8080`);
    assert.equal(chain(rules, 'services'), to.join('\n'));
    assert.equal(chain(rules, 'node_ports'), 'tcp dport 30080 dnat to 10.88.0.2:8080');
  });

  it('lead host ports to the running pods of the node', () => {
    const ports = [
      { containerPort: 80, hostPort: 8080 },
      { containerPort: 53, hostPort: 5353, protocol: 'UDP', hostIP: '192.0.2.4' },
    ];
    const pod = (name: string, phase: string, more: object = {}) =>
      ({
        metadata: { namespace: 'a', name },
        spec: { containers: [{ name: 'c', ports }], ...more },
        status: { phase, podIP: '10.88.0.9' },
      }) as Pod;
    const rules = render([], [], { pods: [pod('p', 'Running'), pod('ended', 'Succeeded'), pod('host', 'Running', { hostNetwork: true })] });
    assert.deepEqual(chain(rules, 'node_ports').split('\n'), [
      'tcp dport 8080 dnat to 10.88.0.9:80',
      'ip daddr 192.0.2.4 udp dport 5353 dnat to 10.88.0.9:53',
    ]);
  });

  it('let other machines in only where the platform listens for them', () => {
    const from = (listen: string) =>
      chain(render([web], [], { listen }), 'prerouting')
        .split('\n')
        .slice(1);
    const inside = ['iifname "dm0" jump services', 'iifname "dm0" fib daddr type local jump node_ports'];
    assert.deepEqual(from('127.0.0.1'), inside);
    const outside = (match: string) => [`${match} jump node_ports`, `${match} jump host_node_ports_outside`];
    assert.deepEqual(from('0.0.0.0'), [...inside, ...outside('iifname != "dm0" fib daddr type local')]);
    assert.deepEqual(from('192.0.2.9'), [...inside, ...outside('iifname != "dm0" ip daddr 192.0.2.9')]);
  });

  it('send a service that stands for a process of the machine to it, never from pods', () => {
    const gateway = { ...web, spec: { ...web.spec, ports: [{ port: 80, targetPort: 8080, nodePort: 30_081 }] } } as Service;
    const rules = render([gateway], [], { hostServices: new Map([['a/web', '0.0.0.0']]), listen: '0.0.0.0' });
    assert.equal(chain(rules, 'host_services'), 'ip daddr 10.96.0.7 tcp dport 80 dnat to 127.0.0.1:8080');
    assert.equal(chain(rules, 'host_node_ports'), 'tcp dport 30081 dnat to 127.0.0.1:8080');
    assert.equal(chain(rules, 'host_node_ports_outside'), 'tcp dport 30081 redirect to :8080');
    assert.equal(chain(rules, 'services') + chain(rules, 'node_ports') + chain(rules, 'refused'), '');
  });

  it('ignore endpoints of a service of the same name elsewhere, headless services and odd addresses', () => {
    const headless = { ...web, spec: { ...web.spec, clusterIP: 'None' } } as Service;
    const odd = { ...web, spec: { ...web.spec, clusterIP: '10.0.0.1; drop' } } as Service;
    assert.doesNotMatch(render([web], [slice([{ addresses: ['10.88.0.2'] }], 'b')]), /dnat to/);
    assert.doesNotMatch(render([headless, odd], []), /daddr 10\.0|daddr None/);
  });
});
