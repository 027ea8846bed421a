import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseChallenge } from './client/authorizer.ts';
import { familiarRepository, ownRepositoryName, storeName } from './names.ts';
import { hostPlatform, mediaTypes, parseManifest, selectPlatform } from './oci.ts';
import { byteRange } from './registry/distribution.ts';

describe('names', () => {
  for (const [reference, repository] of [
    ['hello', 'index.docker.io/library/hello'],
    ['docker.io/library/hello', 'index.docker.io/library/hello'],
    ['localhost:5000/hello', 'localhost/hello'],
    ['127.0.0.1:5000/a/b:1', 'localhost/a/b'],
    ['localhost/hello', 'localhost/hello'],
    ['localhost:6000/hello', 'localhost:6000/hello'],
    ['localhost:4999/hello', 'localhost/hello'],
    ['localhost:5000/gcr.io/knative-samples/x', 'gcr.io/knative-samples/x'],
    ['localhost:5000/docker.io/nginx', 'index.docker.io/library/nginx'],
  ] as const) {
    it(`${reference} is ${repository} in the store`, () => assert.equal(storeName(reference, [5000, 4999]).repository, repository));
  }

  it('shows a repository of the own registry with its current port', () => {
    assert.equal(familiarRepository(ownRepositoryName('team/app'), 5001), 'localhost:5001/team/app');
    assert.equal(familiarRepository('index.docker.io/library/nginx', 5001), 'nginx');
  });
});

describe('manifests', () => {
  const digest = `sha256:${'a'.repeat(64)}`;
  const part = { mediaType: 'x', digest, size: 1 };
  const parse = (value: unknown, type?: string) => parseManifest(Buffer.from(JSON.stringify(value)), type);

  it('takes the media type from the document, then from the header, then from the shape', () => {
    const plain = { schemaVersion: 2, config: part, layers: [part] };
    assert.equal(parse({ ...plain, mediaType: mediaTypes.dockerManifest }).mediaType, mediaTypes.dockerManifest);
    assert.equal(parse(plain, mediaTypes.ociManifest).mediaType, mediaTypes.ociManifest);
    assert.equal(parse({ schemaVersion: 2, manifests: [part] }).mediaType, mediaTypes.ociIndex);
  });

  for (const [what, value, type] of [
    ['schema 1', { schemaVersion: 1 }, undefined],
    ['a path as digest', { schemaVersion: 2, config: { ...part, digest: 'sha256:../../etc' }, layers: [] }, undefined],
    ['a negative size', { schemaVersion: 2, config: { ...part, size: -1 }, layers: [] }, undefined],
    ['an index called a manifest', { schemaVersion: 2, manifests: [] }, mediaTypes.ociManifest],
    ['both an index and a manifest', { schemaVersion: 2, manifests: [], layers: [], config: part }, undefined],
    ['a list', [], undefined],
  ] as const) {
    it(`refuses ${what}`, () => assert.throws(() => parse(value, type)));
  }

  it('selects this machine from an index and nothing where it is missing', () => {
    const other = { ...part, platform: { os: 'linux', architecture: 'vax' } };
    const own = { ...part, platform: hostPlatform };
    assert.equal(selectPlatform({ schemaVersion: 2, manifests: [other, own] }), own);
    assert.equal(selectPlatform({ schemaVersion: 2, manifests: [other] }), undefined);
  });
});

describe('http details', () => {
  for (const [header, expected] of [
    [undefined, undefined],
    ['bytes=0-', { start: 0, end: 9 }],
    ['bytes=2-4', { start: 2, end: 4 }],
    ['bytes=-3', { start: 7, end: 9 }],
    ['bytes=5-99', { start: 5, end: 9 }],
    ['bytes=10-', 'unsatisfiable'],
    ['bytes=4-2', undefined],
    ['lines=1-2', undefined],
  ] as const) {
    it(`reads the range ${header}`, () => assert.deepEqual(byteRange(header, 10), expected));
  }

  it('reads a challenge', () => {
    const { scheme, parameters } = parseChallenge('Bearer realm="https://auth.example/token",service="r",scope="repository:a/b:pull,push"');
    assert.equal(scheme, 'bearer');
    assert.deepEqual(parameters, { realm: 'https://auth.example/token', service: 'r', scope: 'repository:a/b:pull,push' });
  });
});
