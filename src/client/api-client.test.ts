import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Resource } from '#apis/definition.ts';
import { StatusError, notFound } from '#apis/meta/status.ts';
import { createClient } from '#client/api-client.ts';
import type { Transport, TransportFrame, TransportRequest, TransportResponse } from '#client/transport.ts';
import { FakeClock } from '#core/clock.ts';

const pods: Resource = { group: '', version: 'v1', plural: 'pods', kind: 'Pod', namespaced: true };
const widgets: Resource = { group: 'example.dev', version: 'v1', plural: 'widgets', kind: 'Widget', namespaced: true };

function scripted(...answers: (Partial<TransportResponse> | Error)[]) {
  const sent: TransportRequest[] = [];
  let frames: TransportFrame[] = [];
  const transport: Transport = {
    request: (request) => {
      sent.push(request);
      const answer = answers.length > 1 ? answers.shift() : answers[0];
      if (answer instanceof Error) return Promise.reject(answer);
      return Promise.resolve({ status: 200, headers: {}, body: { metadata: {} }, ...answer });
    },
    async *watch(request) {
      sent.push(request);
      yield* await Promise.resolve(frames);
    },
    stream: () => Promise.reject(new Error('not asked for')),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  return { sent, transport, watching: (next: TransportFrame[]) => (frames = next) };
}

const line = ({ method, path, query }: TransportRequest) =>
  `${method} ${path}${new URLSearchParams(query).size > 0 ? '?' : ''}${new URLSearchParams(query).toString()}`;

describe('API client', () => {
  it('asks at the places the API has', async () => {
    const { sent, transport } = scripted();
    const client = createClient(transport, { fieldManager: 'me' });
    await client.of(pods).get('n', 'p');
    await client.of(widgets).create({ metadata: { name: 'w', namespace: 'n' } });
    await client.of(widgets).update({ metadata: { name: 'w', namespace: 'n' } }, { subresource: 'status', dryRun: true });
    await client
      .of(widgets)
      .patch('n', 'w', { type: 'apply', body: {}, force: true }, { fieldManager: 'other', fieldValidation: 'Strict' });
    await client.of(pods).delete('n', 'p', { gracePeriodSeconds: 0, dryRun: true });
    await client.of(pods).createSubresource('n', 'p', 'binding', { target: {} });
    assert.deepEqual(sent.map(line), [
      'GET /api/v1/namespaces/n/pods/p',
      'POST /apis/example.dev/v1/namespaces/n/widgets?fieldManager=me',
      'PUT /apis/example.dev/v1/namespaces/n/widgets/w/status?fieldManager=me&dryRun=All',
      'PATCH /apis/example.dev/v1/namespaces/n/widgets/w?fieldManager=other&fieldValidation=Strict&force=true',
      'DELETE /api/v1/namespaces/n/pods/p',
      'POST /api/v1/namespaces/n/pods/p/binding',
    ]);
    assert.deepEqual(sent[1]?.body, { metadata: { name: 'w', namespace: 'n' }, apiVersion: 'example.dev/v1', kind: 'Widget' });
    assert.equal(sent[3]?.headers?.['content-type'], 'application/apply-patch+yaml');
    assert.deepEqual(sent[4]?.body, { kind: 'DeleteOptions', apiVersion: 'v1', gracePeriodSeconds: 0, dryRun: ['All'] });
  });

  it('never turns an empty name into the whole collection, nor a strange one into another path', async () => {
    const { sent, transport } = scripted();
    const client = createClient(transport).of(pods);
    await assert.rejects(client.delete('n', ''), /name is needed/);
    await client.get('n', '../../secrets/s');
    assert.equal(sent.length, 1);
    assert.equal(sent[0]?.path, '/api/v1/namespaces/n/pods/..%2F..%2Fsecrets%2Fs');
  });

  it('throws the StatusError the server sent', async () => {
    const status = notFound('', 'pods', 'p').toStatus();
    const { transport } = scripted({ status: 404, body: status });
    await assert.rejects(createClient(transport).of(pods).get('n', 'p'), (error: unknown) => {
      assert.ok(error instanceof StatusError);
      assert.deepEqual(error.toStatus(), status);
      return true;
    });
  });

  it('makes a StatusError of an answer that is none', async () => {
    const { transport } = scripted({ status: 503, body: 'upstream connect error' });
    await assert.rejects(createClient(transport).of(pods).list(), { reason: 'ServiceUnavailable', message: 'upstream connect error' });
  });

  it('waits when the server is busy, and gives up in the end', async () => {
    const busy = { status: 429, headers: { 'retry-after': '1' }, body: new StatusError('TooManyRequests', 'busy').toStatus() };
    const clock = new FakeClock();
    const once = scripted(busy, {});
    const answer = createClient(once.transport, { clock }).of(pods).get('n', 'p');
    for (let step = 0; step < 3; step += 1) await clock.advance(500);
    await answer;
    assert.equal(once.sent.length, 2);
    const always = scripted(busy);
    const refused = assert.rejects(createClient(always.transport, { clock, busyRetries: 2 }).of(pods).get('n', 'p'), {
      reason: 'TooManyRequests',
    });
    for (let step = 0; step < 8; step += 1) await clock.advance(500);
    await refused;
    assert.equal(always.sent.length, 3);
  });

  it('tells a deleted object from one that is still there', async () => {
    const gone = scripted({ body: { kind: 'Status', status: 'Success' } });
    assert.equal(await createClient(gone.transport).of(pods).delete('n', 'p'), undefined);
    const terminating = scripted({ body: { metadata: { name: 'p' } } });
    assert.deepEqual(await createClient(terminating.transport).of(pods).delete('n', 'p'), { metadata: { name: 'p' } });
  });

  it('throws what a watch reports as an error', async () => {
    const { transport, watching, sent } = scripted();
    watching([
      { type: 'ADDED', object: { metadata: { name: 'p' } } },
      { type: 'ERROR', object: new StatusError('Expired', 'too old').toStatus() },
    ]);
    const seen: string[] = [];
    const follow = async () => {
      const watch = createClient(transport)
        .of(pods)
        .watch({ resourceVersion: '5', allowWatchBookmarks: true, timeoutSeconds: 9, signal: new AbortController().signal });
      for await (const { type } of watch) seen.push(type);
    };
    await assert.rejects(follow(), { reason: 'Expired', code: 410 });
    assert.deepEqual(seen, ['ADDED']);
    assert.equal(line(sent[0]!), 'GET /api/v1/pods?resourceVersion=5&watch=true&allowWatchBookmarks=true&timeoutSeconds=9');
  });
});
