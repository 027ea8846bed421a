import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseImageReference } from '#apis/knative/image-reference.ts';
import { credentialsOfLogins, matchingCredentials } from './registry-credentials.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');

describe('registry credentials', () => {
  it('are read from each form of a login; an entry whose secret lies elsewhere is left out', () => {
    const logins = {
      'https://index.docker.io/v1/': { auth: base64('me:p:w') },
      'gcr.io/project': { username: '_json_key', password: '{}' },
      'azure.example': { auth: base64('0000:'), identitytoken: 'refresh' },
      'helped.example': {},
    };
    assert.deepEqual(credentialsOfLogins(logins), [
      { registry: 'index.docker.io', username: 'me', password: 'p:w' },
      { registry: 'gcr.io/project', username: '_json_key', password: '{}' },
      { registry: 'azure.example', username: '0000', password: '', identityToken: 'refresh' },
    ]);
  });

  it('fit an image by host and path, the most specific first', () => {
    const of = (registry: string) => ({ registry, username: registry, password: '' });
    const all = [
      '*.example.com',
      'eu.example.com',
      'eu.example.com/team',
      'eu.example.com:5000',
      'docker.io',
      'https://index.docker.io/v1/',
      'b*r.io',
    ];
    const fitting = (image: string) => matchingCredentials(all.map(of), parseImageReference(image)).map(({ registry }) => registry);
    assert.deepEqual(fitting('eu.example.com/team/app'), ['eu.example.com/team', 'eu.example.com', '*.example.com']);
    assert.deepEqual(fitting('eu.example.com/teams/app'), ['eu.example.com', '*.example.com']);
    assert.deepEqual(fitting('a.eu.example.com/x'), []);
    assert.deepEqual(fitting('eu.example.com:5000/x'), ['eu.example.com:5000']);
    assert.deepEqual(fitting('nginx'), ['docker.io', 'https://index.docker.io/v1/']);
    assert.deepEqual(fitting('bar.io/x'), ['b*r.io']);
    assert.deepEqual(fitting('br.io/x'), ['b*r.io']);
    assert.deepEqual(fitting('b.io/x'), []);
  });
});
