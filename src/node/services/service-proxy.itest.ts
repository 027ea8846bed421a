import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import type { Service } from '#apis/core/v1/service.ts';
import type { EndpointSlice } from '#apis/discovery/v1/endpoint-slice.ts';
import { renderRules } from '#node/services/nft-rules.ts';

const canUseNft = process.getuid?.() === 0 && spawnSync('nft', ['--version']).status === 0;

describe('nft', { skip: canUseNft ? false : 'needs root and nft' }, () => {
  it('accepts the rules as they are written', () => {
    const services = [
      {
        metadata: { namespace: 'a', name: 'web' },
        spec: {
          clusterIP: '10.96.0.7',
          ports: [
            { port: 80, nodePort: 30_080 },
            { port: 53, name: 'dns', protocol: 'UDP' },
          ],
        },
      },
      { metadata: { namespace: 'a', name: 'gateway' }, spec: { clusterIP: '10.96.0.9', ports: [{ port: 80, nodePort: 30_081 }] } },
      { metadata: { namespace: 'a', name: 'none' }, spec: { clusterIP: '10.96.0.8', ports: [{ port: 80 }] } },
    ] as Service[];
    const slices: EndpointSlice[] = [
      {
        metadata: { namespace: 'a', name: 'web-1', labels: { 'kubernetes.io/service-name': 'web' } },
        addressType: 'IPv4',
        ports: [
          { port: 8080, protocol: 'TCP' },
          { name: 'dns', port: 53, protocol: 'UDP' },
        ],
        endpoints: [{ addresses: ['10.88.0.2'] }, { addresses: ['10.88.0.3'] }],
      },
    ];
    const script = renderRules({
      table: 'dormouse-itest',
      podCidr: '10.88.0.0/16',
      bridge: 'dm0',
      listen: '0.0.0.0',
      hostServices: new Map([['a/gateway', '0.0.0.0']]),
      services,
      slices,
      pods: [],
    });
    const result = spawnSync('nft', ['-c', '-f', '-'], { input: script, encoding: 'utf8' });
    assert.equal(result.status, 0, result.stderr);
  });
});
