import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
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
const render = (services: Service[], slices: EndpointSlice[]) =>
  renderRules({ table: 'dormouse-x', podCidr: '10.88.0.0/16', services, slices });

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

  it('ignore endpoints of a service of the same name elsewhere, headless services and odd addresses', () => {
    const headless = { ...web, spec: { ...web.spec, clusterIP: 'None' } } as Service;
    const odd = { ...web, spec: { ...web.spec, clusterIP: '10.0.0.1; drop' } } as Service;
    assert.doesNotMatch(render([web], [slice([{ addresses: ['10.88.0.2'] }], 'b')]), /dnat to/);
    assert.doesNotMatch(render([headless, odd], []), /daddr 10\.0|daddr None/);
  });
});
