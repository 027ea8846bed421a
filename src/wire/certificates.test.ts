import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { createServer, get } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { test } from 'node:test';
import { createAuthority, issueCertificate, isUsable } from '#wire/certificates.ts';

test('a client and a server trust each other through certificates of one authority', async () => {
  const authority = await createAuthority('test-ca', 10);
  const server = await issueCertificate(authority, { commonName: 'api', hosts: ['localhost', '127.0.0.1'], usage: 'server', days: 1 });
  const client = await issueCertificate(authority, {
    commonName: 'admin',
    organizations: ['system:masters', 'ops'],
    usage: 'client',
    days: 1,
  });
  const listener = createServer(
    { cert: server.certificate, key: server.privateKey, ca: authority.certificate, requestCert: true, rejectUnauthorized: true },
    (request, response) => response.end(JSON.stringify((request.socket as TLSSocket).getPeerCertificate().subject)),
  );
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  const answer = await new Promise<string>((resolve, reject) => {
    get(
      { host: '127.0.0.1', port, ca: authority.certificate, cert: client.certificate, key: client.privateKey, agent: false },
      (response) => {
        let text = '';
        response
          .setEncoding('utf8')
          .on('data', (chunk: string) => (text += chunk))
          .on('end', () => resolve(text));
      },
    ).on('error', reject);
  });
  listener.close();
  assert.deepEqual(JSON.parse(answer), { O: ['system:masters', 'ops'], CN: 'admin' });
});

test('a certificate is usable only for its hosts and while it lasts', async () => {
  const authority = await createAuthority('test-ca', 10);
  const { certificate } = await issueCertificate(authority, {
    commonName: 'x',
    hosts: ['a.example', '10.0.0.1'],
    usage: 'server',
    days: 5,
  });
  assert.equal(new X509Certificate(certificate).checkIssued(new X509Certificate(authority.certificate)), true);
  assert.equal(isUsable(certificate, 2, ['a.example', '10.0.0.1']), true);
  assert.equal(isUsable(certificate, 2, ['b.example']), false);
  assert.equal(isUsable(certificate, 30), false);
  assert.equal(isUsable('nonsense', 0), false);
});
