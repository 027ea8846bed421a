import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Resource } from '#apis/definition.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import { StatusError } from '#apis/meta/status.ts';
import type { Client, ListOptions, ResourceClient, WatchEvent, WatchOptions } from '#client/client.ts';
import { createInformers } from '#client/informer.ts';
import { FakeClock } from '#core/clock.ts';

const things: Resource = { group: 'example.dev', version: 'v1', plural: 'things', kind: 'Thing', namespaced: true };

/** An API server for one resource whose moods a test controls. */
class MoodyServer {
  readonly objects = new Map<string, KubeObject>();
  readonly lists: ListOptions[] = [];
  readonly watches: WatchOptions[] = [];
  down: StatusError | undefined;
  oldest = 0;
  version = 10;
  readonly #open = new Set<{ push(event: WatchEvent<KubeObject>): void; end(error?: Error): void }>();

  get client(): Client {
    const resourceClient: Partial<ResourceClient<KubeObject>> = {
      list: (options) => this.#list(options),
      watch: (options) => this.#watch(options),
    };
    return { of: () => resourceClient } as unknown as Client;
  }

  put(name: string, namespace = 'n', uid = `uid-${name}`): void {
    this.version += 1;
    const key = `${namespace}/${name}`;
    const object: KubeObject = { metadata: { name, namespace, uid, resourceVersion: String(this.version) } };
    const type = this.objects.has(key) ? 'MODIFIED' : 'ADDED';
    this.objects.set(key, object);
    for (const watch of this.#open) watch.push({ type, object });
  }

  remove(key: string): void {
    const object = this.objects.get(key);
    assert.ok(object);
    this.version += 1;
    this.objects.delete(key);
    const last = { ...object, metadata: { ...object.metadata, resourceVersion: String(this.version) } };
    for (const watch of this.#open) watch.push({ type: 'DELETED', object: last });
  }

  bookmark(): void {
    for (const watch of this.#open) watch.push({ type: 'BOOKMARK', object: { metadata: { resourceVersion: String(this.version) } } });
  }

  cut(error?: Error): void {
    for (const watch of this.#open) watch.end(error);
  }

  #list(options: ListOptions = {}) {
    this.lists.push(options);
    if (this.down !== undefined) return Promise.reject(this.down);
    return Promise.resolve({ metadata: { resourceVersion: String(this.version) }, items: [...this.objects.values()] });
  }

  async *#watch(options: WatchOptions): AsyncIterable<WatchEvent<KubeObject>> {
    this.watches.push(options);
    if (this.down !== undefined) throw this.down;
    if (Number(options.resourceVersion) < this.oldest) throw new StatusError('Expired', 'too old resource version');
    const events: WatchEvent<KubeObject>[] = [];
    let ended: { error: Error | undefined } | undefined;
    let wake = () => {};
    const self = {
      push: (event: WatchEvent<KubeObject>) => (events.push(event), wake()),
      end: (error?: Error) => ((ended = { error }), wake()),
    };
    this.#open.add(self);
    options.signal.addEventListener('abort', () => self.end(options.signal.reason as Error));
    try {
      for (;;) {
        const event = events.shift();
        if (event !== undefined) yield event;
        else if (ended !== undefined) {
          if (ended.error !== undefined) throw ended.error;
          return;
        } else await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      this.#open.delete(self);
    }
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

async function started(server: MoodyServer) {
  const clock = new FakeClock();
  const informers = createInformers(server.client, { clock, random: () => 0.5 });
  const informer = informers.of(things);
  const log: string[] = [];
  informer.on((event) => log.push(`${event.type} ${event.object.metadata.name}`));
  await informers.start();
  await turn();
  return { clock, informers, informer, log, [Symbol.asyncDispose]: () => informers[Symbol.asyncDispose]() };
}

describe('informer', () => {
  it('lists once, then follows the watch from the version of the list', async () => {
    const server = new MoodyServer();
    server.put('a');
    await using run = await started(server);
    server.put('b');
    server.put('a');
    server.remove('n/b');
    await turn();
    assert.deepEqual(run.log, ['added a', 'added b', 'updated a', 'deleted b']);
    assert.equal(server.lists.length, 1);
    assert.equal(server.watches[0]?.resourceVersion, '11');
    assert.deepEqual(
      run.informer.list().map(({ metadata }) => metadata.name),
      ['a'],
    );
    assert.equal(run.informer.get('n', 'a')?.metadata.resourceVersion, '13');
  });

  it('is shared by everybody who asks for the same resource and selector', async () => {
    await using informers = createInformers(new MoodyServer().client);
    assert.equal(informers.of(things), informers.of({ ...things }));
    assert.notEqual(informers.of(things), informers.of(things, { namespace: 'n' }));
  });

  it('resumes a watch that ended where it stopped, bookmarks included, without listing again', async () => {
    const server = new MoodyServer();
    await using run = await started(server);
    server.version = 99;
    server.bookmark();
    await turn();
    server.cut();
    await turn();
    server.put('a');
    await turn();
    assert.deepEqual(run.log, ['added a']);
    assert.equal(server.lists.length, 1);
    assert.equal(server.watches[1]?.resourceVersion, '99');
  });

  it('keeps serving while the server is away, and catches up afterwards', async () => {
    const server = new MoodyServer();
    server.put('a');
    await using run = await started(server);
    server.down = new StatusError('ServiceUnavailable', 'away');
    server.cut(new Error('connection reset'));
    await turn();
    await run.clock.advance(60_000);
    assert.equal(run.informer.list().length, 1);
    const attempts = server.watches.length;
    assert.ok(attempts > 3 && attempts < 20, `${attempts} attempts in a minute`);
    server.down = undefined;
    await run.clock.advance(30_000);
    server.put('b');
    await turn();
    assert.deepEqual(run.log, ['added a', 'added b']);
    assert.equal(server.lists.length, 1);
  });

  it('lists again when its version has expired, and reports what was deleted meanwhile', async () => {
    const server = new MoodyServer();
    server.put('gone');
    server.put('kept');
    server.put('changed');
    await using run = await started(server);
    server.down = new StatusError('ServiceUnavailable', 'away');
    server.cut(new Error('connection reset'));
    await turn();
    await run.clock.advance(1);
    server.remove('n/gone');
    server.put('changed');
    server.put('new');
    server.oldest = server.version;
    server.down = undefined;
    await run.clock.advance(60_000);
    assert.deepEqual(run.log.slice(3).toSorted(), ['added new', 'deleted gone', 'updated changed']);
    assert.equal(server.lists.at(-1)?.resourceVersion, undefined);
  });

  it('does not list in a tight loop when every version is expired', async () => {
    const server = new MoodyServer();
    await using run = await started(server);
    server.oldest = 1_000_000;
    server.cut();
    await turn();
    await run.clock.advance(60_000);
    assert.ok(server.lists.length > 3 && server.lists.length < 20, `${server.lists.length} lists in a minute`);
  });

  it('does not watch in a tight loop when every watch ends at once', async () => {
    const server = new MoodyServer();
    await using run = await started(server);
    for (let step = 0; step < 600; step += 1) {
      server.cut();
      await run.clock.advance(100);
    }
    assert.ok(server.watches.length < 30, `${server.watches.length} watches in a minute`);
  });

  it('reports a deletion when a name has been taken by another object', async () => {
    const server = new MoodyServer();
    server.put('a', 'n', 'one');
    await using run = await started(server);
    server.put('a', 'n', 'two');
    await turn();
    assert.deepEqual(run.log, ['added a', 'deleted a', 'added a']);
    assert.equal(run.informer.get('n', 'a')?.metadata.uid, 'two');
  });

  it('contains the errors of handlers and index functions', async () => {
    const server = new MoodyServer();
    await using run = await started(server);
    run.informer.on(() => {
      throw new Error('bad handler');
    });
    run.informer.addIndex('bad', () => {
      throw new Error('bad index');
    });
    run.informer.addIndex('name', ({ metadata }) => [metadata.name ?? '']);
    server.put('a');
    await turn();
    assert.deepEqual(run.log, ['added a']);
    assert.equal(run.informer.byIndex('name', 'a').length, 1);
    assert.deepEqual(run.informer.byIndex('bad', 'a'), []);
    assert.throws(() => run.informer.byIndex('unknown', 'a'), /no index/);
  });

  it('files objects by namespace, and tells a late handler what is known', async () => {
    const server = new MoodyServer();
    server.put('a', 'n1');
    server.put('b', 'n2');
    await using run = await started(server);
    assert.deepEqual(
      run.informer.list('n2').map(({ metadata }) => metadata.name),
      ['b'],
    );
    const late: string[] = [];
    const remove = run.informer.on(({ type, object }) => late.push(`${type} ${object.metadata.name}`));
    assert.deepEqual(late, ['added a', 'added b']);
    remove();
    server.put('c', 'n1');
    await turn();
    assert.equal(late.length, 2);
  });

  it('stops waiting when the signal aborts', async () => {
    const server = new MoodyServer();
    server.down = new StatusError('ServiceUnavailable', 'away');
    await using informers = createInformers(server.client, { clock: new FakeClock() });
    const informer = informers.of(things);
    const stop = new AbortController();
    const start = informers.start(stop.signal);
    stop.abort(new Error('enough'));
    await assert.rejects(start, /enough/);
    assert.equal(informer.synced, false);
  });

  it('gives up a watch that hangs beyond its time', async () => {
    const server = new MoodyServer();
    await using run = await started(server);
    await run.clock.advance(900_000);
    assert.ok(server.watches.length >= 2);
  });
});
