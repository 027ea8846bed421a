import 'reflect-metadata';
import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { createServer, get } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { test } from 'node:test';
import * as x509 from '@peculiar/x509';
import { createAuthority, expiryOf, isIssuedBy, issueCertificate, isUsable, readRequest, signRequest } from '#wire/certificates.ts';

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

test('an authority brought along may have an RSA key, or one on another curve', async () => {
  const algorithms = [
    { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', publicExponent: new Uint8Array([1, 0, 1]), modulusLength: 2048 },
    { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' },
  ];
  for (const algorithm of algorithms) {
    const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
    const root = await x509.X509CertificateGenerator.createSelfSigned({ name: 'CN=brought', keys, signingAlgorithm: algorithm });
    const der = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey));
    const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
    const form = algorithm.name === 'ECDSA' ? 'sec1' : 'pkcs1';
    const authority = { certificate: root.toString('pem'), privateKey: String(privateKey.export({ type: form, format: 'pem' })) };
    const leaf = await issueCertificate(authority, { commonName: 'x', hosts: ['a.example'], usage: 'server', days: 5 });
    assert.equal(isIssuedBy(leaf.certificate, authority.certificate), true);
    assert.equal(isIssuedBy(leaf.certificate, (await createAuthority('brought', 5)).certificate), false);
    assert.equal(isIssuedBy('nonsense', authority.certificate), false);
    assert.equal(expiryOf(leaf.certificate).getTime() > Date.now() + 4 * 86_400_000, true);
  }
  const odd = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' });
  const { certificate } = await createAuthority('x', 5);
  await assert.rejects(
    issueCertificate({ certificate, privateKey: String(odd) }, { commonName: 'x', usage: 'server', days: 5 }),
    /of the kind ed25519 cannot sign certificates here/,
  );
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

test('a request is read and signed for its subject, key and names', async () => {
  const authority = await createAuthority('test-ca', 10);
  const signingAlgorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) };
  const keys = await crypto.subtle.generateKey(signingAlgorithm, true, ['sign', 'verify']);
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: 'CN=jane,O=devs',
    keys,
    signingAlgorithm,
    extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: 'jane.example' }])],
  });
  const pem = request.toString('pem');
  assert.deepEqual(await readRequest(pem), { commonName: 'jane', organizations: ['devs'], hosts: ['jane.example'] });
  const signed = new X509Certificate(await signRequest(authority, pem, { usages: ['client auth', 'digital signature'], seconds: 3600 }));
  assert.ok(signed.verify(new X509Certificate(authority.certificate).publicKey));
  assert.deepEqual(
    [signed.subject, signed.keyUsage, signed.subjectAltName],
    ['CN=jane\nO=devs', ['1.3.6.1.5.5.7.3.2'], 'DNS:jane.example'],
  );
  assert.ok(signed.validToDate.getTime() <= Date.now() + 3_600_000);
  await assert.rejects(readRequest('-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----'));
});
