import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { FakeClock } from '#core/clock.ts';
import { parseRequestHead, RequestHead } from '#gateway/http/request-head.ts';
import { Deck } from '#gateway/routes/deck.ts';
import type { RuleConfig } from '#gateway/routes/route-config.ts';
import { matchRule, normalizeHost, RouteTable, type HostRoutes } from '#gateway/routes/route-table.ts';
import { Backend } from '#gateway/slots/backend.ts';
import { testBackend } from '#gateway/testing/routes.ts';

const quiet = { wallOffsetMs: 0, activate: () => {}, finished: () => {}, waiting: () => {}, drained: () => {} };
const clock = new FakeClock();
const backends = new Map<string, Backend>();
const backend = (key: string): Backend => {
  const known = backends.get(key) ?? new Backend(testBackend(key, []), clock, quiet);
  backends.set(key, known);
  return known;
};

function chosen(routes: HostRoutes | undefined, request: string): string | undefined {
  const bytes = Buffer.from(request);
  const head = new RequestHead();
  assert.ok(parseRequestHead(bytes, 0, bytes.length, head) > 0);
  return routes === undefined ? undefined : matchRule(routes, bytes, head)?.targets[0]?.backend.key;
}

const rule = (paths: RuleConfig['paths'], more: Partial<RuleConfig> = {}): RuleConfig => ({
  hosts: ['a.test'],
  visibility: 'external',
  paths,
  ...more,
});
/** Every rule its own owner's, as of an Ingress of its own. */
function tableOf(...rules: readonly RuleConfig[]): RouteTable {
  const table = new RouteTable();
  for (const [index, one] of rules.entries()) table.set(`owner-${index}`, [one], backend);
  return table;
}
const to = (key: string) => [{ backend: key, percent: 100 }];

describe('decks', () => {
  test('any 100 consecutive cards match the percentages', () => {
    const percentages = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 2, maxLength: 6 }).map((parts) => {
      const total = parts.reduce((sum, part) => sum + part, 0);
      const scaled = parts.map((part) => Math.floor((part * 100) / total));
      scaled[0] = (scaled[0] as number) + 100 - scaled.reduce((sum, part) => sum + part, 0);
      return scaled;
    });
    fc.assert(
      fc.property(percentages, fc.integer({ min: 0, max: 250 }), (percents, offset) => {
        const deck = new Deck(percents);
        const counts = percents.map(() => 0);
        for (let skipped = 0; skipped < offset; skipped++) deck.deal();
        for (let dealt = 0; dealt < 100; dealt++) {
          const card = deck.deal();
          counts[card] = (counts[card] as number) + 1;
        }
        assert.deepEqual(counts, percents);
      }),
    );
  });

  test('the cards are shuffled', () => {
    const deck = new Deck([50, 50]);
    const cards = Array.from({ length: 100 }, () => deck.deal());
    const runs = cards.filter((card, index) => index > 0 && card !== cards[index - 1]).length;
    assert.ok(runs > 15 && runs < 85, `${runs} changes`);
  });
});

describe('route tables', () => {
  test('hosts compare without case, port and trailing dot', () => {
    assert.deepEqual(['A.test', 'a.test.', 'a.test:80', 'a.test.:443', '[::1]:80', '[::1]', '127.0.0.1:1'].map(normalizeHost), [
      'a.test',
      'a.test',
      'a.test',
      'a.test',
      '[::1]',
      '[::1]',
      '127.0.0.1',
    ]);
  });

  test('the longest path prefix wins, then the most header matches', () => {
    const table = tableOf(
      rule([
        { splits: to('default') },
        { path: '/api', splits: to('api') },
        { path: '/api/v2', splits: to('v2') },
        { path: '/api', headers: { 'X-Tag': 'blue' }, splits: to('blue') },
      ]),
    );
    const routes = table.external.get('a.test');
    const get = (path: string, more = '') => chosen(routes, `GET ${path} HTTP/1.1\r\nHost: a.test\r\n${more}\r\n`);
    assert.equal(get('/'), 'default');
    assert.equal(get('/api/x'), 'api');
    assert.equal(get('/api/v2?x'), 'v2');
    assert.equal(get('/api', 'x-tag: blue\r\n'), 'blue');
    assert.equal(get('/api', 'x-tag: green\r\n'), 'api');
  });

  test('external and local rules do not meet, and rules of one host are merged', () => {
    const table = tableOf(
      rule([{ splits: to('one') }]),
      rule([{ path: '/two', splits: to('two') }]),
      rule([{ splits: to('inner') }], { visibility: 'local', hosts: ['b.test'] }),
    );
    assert.deepEqual([...table.external.keys()], ['a.test']);
    assert.deepEqual([...table.local.keys()], ['b.test']);
    assert.equal(chosen(table.external.get('a.test'), 'GET /two HTTP/1.1\r\nHost: a.test\r\n\r\n'), 'two');
  });

  test('a rule that rewrites the host to one of ours goes where that host leads', () => {
    const inner = rule(
      [
        { headers: { Tag: 'blue' }, splits: to('blue') },
        {
          splits: [
            { backend: 'x', percent: 50, appendHeaders: { A: '1' } },
            { backend: 'y', percent: 50 },
          ],
        },
      ],
      { hosts: ['s.n.svc.cluster.local'], visibility: 'local' },
    );
    const mapped = { rewriteHost: 's.n.svc.cluster.local', splits: [{ backend: 'placeholder', percent: 100, appendHeaders: { B: '2' } }] };
    const table = tableOf(rule([mapped]), inner);
    const routes = table.external.get('a.test');
    assert.equal(chosen(routes, 'GET / HTTP/1.1\r\nHost: a.test\r\nTag: blue\r\n\r\n'), 'blue');
    const [, onward] = routes?.rules ?? [];
    assert.equal(onward?.rewriteHost, 's.n.svc.cluster.local');
    assert.deepEqual(
      onward?.targets.map((target) => [target.backend.key, target.appendLines.toString()]),
      [
        ['x', 'B: 2\r\nA: 1\r\n'],
        ['y', 'B: 2\r\n'],
      ],
    );
    assert.equal(onward?.deck, table.local.get('s.n.svc.cluster.local')?.rules[1]?.deck, 'one deck: the shares are those of all requests');
    const elsewhere = tableOf(rule([mapped]));
    assert.equal(chosen(elsewhere.external.get('a.test'), 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n'), 'placeholder');
  });

  test('a deck goes on through an update that does not touch its splits, and starts anew with other splits', () => {
    const splits = (first: number) =>
      rule([
        {
          splits: [
            { backend: 'x', percent: first },
            { backend: 'y', percent: 100 - first },
          ],
        },
      ]);
    const table = new RouteTable();
    const deckAfter = (first: number) => {
      table.set('owner', [splits(first)], backend);
      return table.external.get('a.test')?.rules[0]?.deck;
    };
    const before = deckAfter(30);
    assert.ok(before !== undefined && deckAfter(30) === before);
    assert.ok(deckAfter(40) !== before);
  });

  test('after any changes the table is what it would be, had it been made of the last rules at once', () => {
    const host = fc.constantFrom('a.test', 'b.test', 'c.test');
    const anyRule = fc.record({
      hosts: fc.uniqueArray(host, { maxLength: 3 }),
      visibility: fc.constantFrom('external' as const, 'local' as const),
      rewriteHost: fc.option(host, { nil: undefined }),
      backend: fc.constantFrom('x', 'y'),
    });
    const change = fc.record({ owner: fc.constantFrom('1', '2', '3'), rules: fc.array(anyRule, { maxLength: 3 }) });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 12 }), (changes) => {
        const table = new RouteTable();
        const last = new Map<string, RuleConfig[]>();
        for (const { owner, rules } of changes) {
          // Paths that differ, so that their order is one of length alone.
          const configs = rules.map(({ hosts, visibility, rewriteHost, backend: key }, index) => {
            const path = `/${'p'.repeat(Number(owner) * 10 + index)}`;
            return rule([{ path, splits: to(key), ...(rewriteHost === undefined ? {} : { rewriteHost }) }], { hosts, visibility });
          });
          table.set(owner, configs, backend);
          last.set(owner, configs);
        }
        const atOnce = new RouteTable();
        for (const [owner, rules] of last) atOnce.set(owner, rules, backend);
        const plain = (hosts: ReadonlyMap<string, HostRoutes>) =>
          [...hosts.values()]
            .map((routes) => [
              routes.host,
              routes.rules.map((one) => [one.path.toString(), one.rewriteHost, one.targets.map((target) => target.backend.key)]),
            ])
            .sort((one, other) => (String(one[0]) < String(other[0]) ? -1 : 1));
        assert.deepEqual(plain(table.external), plain(atOnce.external));
        assert.deepEqual(plain(table.local), plain(atOnce.local));
      }),
    );
  });

  test('headers for the container: later ones win, those naming the revision stay here', () => {
    const table = tableOf(
      rule([
        {
          appendHeaders: { 'X-A': 'path', 'X-B': 'path' },
          splits: [{ backend: 'x', percent: 100, appendHeaders: { 'X-B': 'split', 'Knative-Serving-Revision': 'x' } }],
        },
      ]),
    );
    const target = table.external.get('a.test')?.rules[0]?.targets[0];
    assert.equal(target?.appendLines.toString(), 'X-A: path\r\nX-B: split\r\n');
    assert.deepEqual(target?.overrides, ['x-a', 'x-b']);
    const tagged = tableOf(rule([{ headers: { 'Knative-Serving-Tag': 'blue', Other: 'o' }, splits: to('x') }]));
    assert.equal(tagged.external.get('a.test')?.rules[0]?.targets[0]?.appendLines.toString(), 'Knative-Serving-Tag: blue\r\n');
  });
});
