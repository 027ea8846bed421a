import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { builtinKinds } from '#apis/registry.ts';
import type { ApiServer } from '#apiserver/request.ts';
import { call, configMap, configMaps, failureOf, nextEvent, objectOf, startTestServer, watchOf } from '#apiserver/testing/server.ts';
import { MemoryStorage } from '#storage/memory-storage.ts';

interface List {
  metadata: { resourceVersion: string; continue?: string; remainingItemCount?: number };
  items: { metadata: { name: string } }[];
}

async function fill(server: ApiServer, names: readonly string[]): Promise<void> {
  for (const name of names) await call(server, 'POST', configMaps, { body: configMap(name, {}, { labels: { name } }) });
}
const namesOf = (list: List) => list.items.map(({ metadata }) => metadata.name);
const get = async (server: ApiServer, query: string) => objectOf<List>(await call(server, 'GET', `${configMaps}${query}`));

describe('list', () => {
  test('pages keep to one state, whatever is written in between', async () => {
    await using server = await startTestServer();
    await fill(server, ['a', 'b', 'c', 'd', 'e']);
    const first = await get(server, '?limit=2');
    assert.deepEqual([namesOf(first), first.metadata.remainingItemCount], [['a', 'b'], 3]);
    await call(server, 'DELETE', `${configMaps}/c`);
    await fill(server, ['bb']);
    const second = await get(server, `?limit=2&continue=${first.metadata.continue}`);
    assert.deepEqual(namesOf(second), ['c', 'd']);
    const third = await get(server, `?limit=2&continue=${second.metadata.continue}`);
    assert.deepEqual([namesOf(third), third.metadata.continue], [['e'], undefined]);
    assert.deepEqual(namesOf(await get(server, `?resourceVersion=${first.metadata.resourceVersion}&resourceVersionMatch=Exact`)), [
      'a',
      'b',
      'c',
      'd',
      'e',
    ]);
  });

  test('selectors pick by label and field; bad ones are refused', async () => {
    await using server = await startTestServer();
    await fill(server, ['a', 'b', 'c']);
    assert.deepEqual(namesOf(await get(server, '?labelSelector=name%20in%20(a,c)')), ['a', 'c']);
    assert.deepEqual(namesOf(await get(server, '?fieldSelector=metadata.name%3Db')), ['b']);
    assert.deepEqual(failureOf(await call(server, 'GET', `${configMaps}?fieldSelector=data.x%3Db`)), [
      400,
      'BadRequest',
      '"data.x" is not a known field selector: only "metadata.name", "metadata.namespace"',
    ]);
    for (const query of [
      'labelSelector=a%3D%3D%3Db',
      'limit=x',
      'limit=-1',
      'continue=zzz',
      'resourceVersion=x',
      'resourceVersionMatch=Exact',
    ])
      assert.ok([400, 422].includes((await call(server, 'GET', `${configMaps}?${query}`)).status), query);
  });

  test('every kind answers for the fields it can be selected by, and only for those', async () => {
    await using server = await startTestServer();
    const status = async (path: string, field: string) => (await call(server, 'GET', `${path}?fieldSelector=${field}%3Dx`)).status;
    for (const { group, versions, plural, ...kind } of builtinKinds) {
      if (!('selectableFields' in kind)) continue;
      const path = `${group === '' ? '/api' : `/apis/${group}`}/${versions[0]?.name}/${plural}`;
      assert.deepEqual([path, await status(path, 'metadata.name')], [path, 200]);
      assert.deepEqual([path, await status(path, 'spec.nonsense')], [path, 400]);
    }
    assert.equal(await status('/api/v1/events', 'involvedObject.name'), 200);
    assert.equal(await status('/apis/events.k8s.io/v1/events', 'regarding.name'), 200);
    assert.equal(await status('/api/v1/pods', 'spec.nodeName'), 200);
  });

  test('a page whose state is compacted away answers 410', async () => {
    const storage = new MemoryStorage();
    await using server = await startTestServer({ storage });
    await fill(server, ['a', 'b', 'c']);
    const first = await get(server, '?limit=1');
    await call(server, 'DELETE', `${configMaps}/c`);
    await storage.compact(storage.revision);
    assert.deepEqual(failureOf(await call(server, 'GET', `${configMaps}?limit=1&continue=${first.metadata.continue}`)).slice(0, 2), [
      410,
      'Expired',
    ]);
  });

  test('tables have columns and rows, with metadata, objects or nothing beside them', async () => {
    await using server = await startTestServer();
    await fill(server, ['a']);
    const headers = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' };
    type Table = { kind: string; columnDefinitions: { name: string }[]; rows: { cells: unknown[]; object: { kind: string } | null }[] };
    const table = async (query: string) => objectOf<Table>(await call(server, 'GET', `${configMaps}${query}`, { headers }));
    const { kind, columnDefinitions, rows } = await table('');
    assert.deepEqual(
      [kind, columnDefinitions.map(({ name }) => name), rows[0]?.object?.kind],
      ['Table', ['Name', 'Data', 'Age'], 'PartialObjectMetadata'],
    );
    assert.deepEqual(rows[0]?.cells.slice(0, 2), ['a', 0]);
    assert.equal((await table('?includeObject=Object')).rows[0]?.object?.kind, 'ConfigMap');
    assert.equal((await table('?includeObject=None')).rows[0]?.object, null);
    assert.equal((await table('/a')).rows.length, 1);
    assert.equal((await call(server, 'GET', `${configMaps}?includeObject=x`, { headers })).status, 400);
    assert.equal((await call(server, 'GET', configMaps, { headers: { accept: 'text/html' } })).status, 406);
  });
});

describe('watch', () => {
  test('goes on where a list ended, and follows what enters and leaves the selection', async () => {
    await using server = await startTestServer();
    await fill(server, ['a']);
    const { metadata } = await get(server, '');
    const abort = new AbortController();
    const events = await watchOf(server, `${configMaps}?watch=1&labelSelector=name%3Db&resourceVersion=${metadata.resourceVersion}`, {
      signal: abort.signal,
    });
    await fill(server, ['b', 'c']);
    const relabel = (name: string) =>
      call(server, 'PATCH', `${configMaps}/b`, {
        body: { metadata: { labels: { name } } },
        headers: { 'content-type': 'application/merge-patch+json' },
      });
    await relabel('x');
    await relabel('b');
    await call(server, 'DELETE', `${configMaps}/b`);
    const seen = [];
    for (let at = 0; at < 4; at += 1) seen.push(await nextEvent(events));
    assert.deepEqual(
      seen.map((event) => `${event?.type} ${event?.name}`),
      ['ADDED b', 'DELETED b', 'ADDED b', 'DELETED b'],
    );
    const versions = seen.map((event) => Number(event?.object.metadata.resourceVersion));
    assert.deepEqual(
      versions,
      versions.toSorted((x, y) => x - y),
    );
    abort.abort();
    assert.equal(await nextEvent(events), undefined);
  });

  test('without a version begins with the state; sendInitialEvents marks its end', async () => {
    await using server = await startTestServer();
    await fill(server, ['a', 'b']);
    const query = 'watch=true&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan';
    const events = await watchOf(server, `${configMaps}?${query}`);
    assert.deepEqual([(await nextEvent(events))?.name, (await nextEvent(events))?.name], ['a', 'b']);
    const bookmark = await nextEvent(events);
    assert.deepEqual([bookmark?.type, bookmark?.object.metadata.annotations], ['BOOKMARK', { 'k8s.io/initial-events-end': 'true' }]);
    await events.return?.(undefined);
    assert.equal((await call(server, 'GET', `${configMaps}?watch=true&sendInitialEvents=true`)).status, 422);
  });

  test('reads older changes back from the log, and says 410 when they are gone', async () => {
    const storage = new MemoryStorage({ keepRevisions: 100_000 });
    const first = await startTestServer({ storage });
    await fill(first, ['a', 'b']);
    const from = storage.revision - 2;
    await first[Symbol.asyncDispose]();
    await using server = await startTestServer({ storage });
    const events = await watchOf(server, `${configMaps}?watch=1&resourceVersion=${from}`);
    assert.deepEqual([(await nextEvent(events))?.name, (await nextEvent(events))?.name], ['a', 'b']);
    await events.return?.(undefined);
    await storage.compact(storage.revision);
    const gone = await watchOf(server, `${configMaps}?watch=1&resourceVersion=${from}`);
    const frame = await gone.next();
    assert.deepEqual([frame.value?.type, (frame.value?.object as { code?: number } | undefined)?.code], ['ERROR', 410]);
  });

  test('a watcher that falls behind the window is cut off', async () => {
    await using server = await startTestServer();
    await fill(server, ['a']);
    const events = await watchOf(server, `${configMaps}?watch=1`);
    assert.equal((await nextEvent(events))?.name, 'a');
    const waiting = nextEvent(events);
    await call(server, 'PATCH', `${configMaps}/a`, {
      body: { data: { n: '0' } },
      headers: { 'content-type': 'application/merge-patch+json' },
    });
    assert.equal((await waiting)?.type, 'MODIFIED');
    for (let at = 1; at < 3000; at += 1) {
      await call(server, 'PATCH', `${configMaps}/a`, {
        body: { data: { n: String(at) } },
        headers: { 'content-type': 'application/merge-patch+json' },
      });
    }
    assert.equal(await nextEvent(events), undefined);
  });
});
