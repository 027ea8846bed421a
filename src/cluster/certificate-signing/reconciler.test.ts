import { describe } from 'node:test';
import type { KubeObject } from '#apis/meta/object.ts';
import type { ControllerModule } from '#controller/controller.ts';
import { runTable } from '#controller/testing.ts';
import { certificateSigningController } from '#cluster/certificate-signing/reconciler.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');
const approved = { type: 'Approved', status: 'True', lastUpdateTime: null, lastTransitionTime: null };

/** Requests here are plain text: `common name,organization,…`. */
const module = certificateSigningController({
  async subject(request) {
    const [commonName = '', ...organizations] = request.split(',');
    if (commonName === '') throw new Error('empty');
    return { commonName, organizations, hosts: [] };
  },
  async sign(request, { usages, seconds }) {
    return `${request} for ${usages.join('+')} in ${seconds}`;
  },
});

const request = (text: string, spec: object = {}, status: object = { conditions: [approved] }): KubeObject =>
  ({
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: { name: 'r' },
    spec: { request: base64(text), signerName: 'kubernetes.io/kube-apiserver-client', usages: ['client auth'], ...spec },
    status,
  }) as KubeObject;

const failed = (message: string) => ({
  conditions: [
    approved,
    {
      type: 'Failed',
      status: 'True',
      reason: 'SignerValidationFailure',
      message,
      lastUpdateTime: '2026-01-01T00:00:00Z',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    },
  ],
});

describe('certificate signing', () => {
  runTable(module as ControllerModule, [
    {
      name: 'signs what has been approved, for as long as was asked',
      key: 'r',
      objects: [request('jane,devs', { expirationSeconds: 3600, usages: ['digital signature', 'client auth'] })],
      status: { conditions: [approved], certificate: base64('jane,devs for digital signature+client auth in 3600') },
    },
    { name: 'waits for approval', key: 'r', objects: [request('jane', {}, {})] },
    {
      name: 'leaves what was denied',
      key: 'r',
      objects: [request('jane', {}, { conditions: [approved, { ...approved, type: 'Denied' }] })],
    },
    { name: 'leaves other signers alone', key: 'r', objects: [request('jane', { signerName: 'example.com/own' })] },
    {
      name: 'gives nobody the keys to everything',
      key: 'r',
      objects: [request('jane,system:masters')],
      status: failed('the group system:masters may not be given by a certificate request'),
    },
    {
      name: 'refuses usages that are not the signer’s',
      key: 'r',
      objects: [request('jane', { usages: ['server auth'] })],
      status: failed('invalid usage for kube-apiserver-client certificate: server auth'),
    },
    { name: 'says what is no request', key: 'r', objects: [request('')], status: failed('unable to parse csr: empty') },
  ]);
});
