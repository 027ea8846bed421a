import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { describe, test } from 'node:test';
import type { StatsMessage, StatsPoke, StatsReport } from '#apis/dormouse/stats.ts';
import type { Client } from '#client/client.ts';
import { FakeClock } from '#core/clock.ts';
import { silentLogger } from '#core/logger.ts';
import { accessLog } from '#gateway/stats/access-log.ts';
import { StatsCollector } from '#gateway/stats/collector.ts';
import { LatencyHistogram } from '#gateway/stats/histogram.ts';
import { Meter } from '#gateway/stats/meter.ts';
import { StatsStream } from '#gateway/stats/stream.ts';

const start = Date.parse('2026-01-01T00:00:00Z');
const startSecond = start / 1000;

function rig() {
  const clock = new FakeClock(start);
  const reports: StatsReport[] = [];
  const pokes: StatsPoke[] = [];
  const collector = new StatsCollector(clock, { report: (one) => void reports.push(one), poke: (one) => void pokes.push(one) });
  const backend = { config: { namespace: 'ns', name: 'rev', isRevision: true }, queued: 0, running: 0, thawing: [] as string[] };
  return { clock, reports, pokes, collector, backend, meter: new Meter(collector, backend) };
}

describe('counters by the second', () => {
  test('the integral is cut exactly at whole seconds', async () => {
    const { clock, meter, reports } = rig();
    await clock.advance(250);
    meter.arrive(clock.monotonic());
    await clock.advance(500);
    meter.arrive(clock.monotonic());
    await clock.advance(750);
    meter.depart(clock.monotonic());
    meter.depart(clock.monotonic());
    await clock.advance(2000);
    assert.deepEqual(
      reports.map(({ second, revisions }) => [second - startSecond, revisions[0]?.averageConcurrency, revisions[0]?.requests]),
      [
        [0, 0.75 + 0.25, 2],
        [1, 1, 0],
      ],
    );
  });

  test('a request that lasts is counted every second, and an idle gateway has no timer', async () => {
    const { clock, meter, reports } = rig();
    meter.arrive(clock.monotonic());
    await clock.advance(3010);
    assert.deepEqual(
      reports.map(({ revisions }) => revisions[0]?.averageConcurrency),
      [1, 1, 1],
    );
    meter.depart(clock.monotonic());
    await clock.advance(60_000);
    assert.equal(reports.length, 4);
    meter.arrive(clock.monotonic());
    meter.depart(clock.monotonic());
    await clock.advance(2000);
    assert.equal(reports.at(-1)?.revisions[0]?.requests, 1);
  });

  test('a poke goes out at once, further ones in bundles for as long as somebody waits', async () => {
    const { clock, collector, backend, pokes } = rig();
    for (backend.queued = 1; backend.queued < 50; backend.queued++) collector.waiting(backend);
    assert.deepEqual(pokes, [{ type: 'poke', namespace: 'ns', revision: 'rev', queued: 1, running: 0 }]);
    await clock.advance(150);
    assert.deepEqual(
      pokes.map(({ queued }) => queued),
      [1, 50],
    );
    collector.waiting(backend);
    backend.queued = 0;
    await clock.advance(500);
    assert.equal(pokes.length, 2);
  });

  test('a poke names the frozen pods that have requests, and is repeated while there are any', async () => {
    const { clock, collector, backend, pokes } = rig();
    backend.thawing = ['ns/pod'];
    collector.waiting(backend);
    collector.waiting(backend);
    await clock.advance(150);
    backend.thawing = [];
    collector.waiting(backend);
    await clock.advance(150);
    assert.deepEqual(
      pokes.map(({ frozen }) => frozen),
      [['ns/pod'], ['ns/pod']],
    );
  });

  test('a histogram puts durations under their upper bound', () => {
    const histogram = new LatencyHistogram();
    for (const value of [0.5, 1, 1.1, 400_000]) histogram.observe(value);
    assert.equal(histogram.counts[0], 2);
    assert.equal(histogram.counts[1], 1);
    assert.equal(histogram.counts.at(-1), 1);
    assert.equal(histogram.total, 4);
  });
});

describe('the stream to the autoscaler', () => {
  test('every connection, and every new autoscaler, gets the retained reports and what waits now', async () => {
    const clock = new FakeClock(start);
    const connections: StatsMessage[][] = [];
    const replies: PassThrough[] = [];
    const client = {
      stream({ body }: { body: AsyncIterable<Uint8Array> }) {
        const received: StatsMessage[] = [];
        connections.push(received);
        void (async () => {
          for await (const chunk of body) {
            for (const line of Buffer.from(chunk).toString().trim().split('\n')) received.push(JSON.parse(line) as StatsMessage);
          }
        })();
        const chunks = new PassThrough();
        replies.push(chunks);
        return Promise.resolve({ status: 200, headers: {}, chunks });
      },
    } as unknown as Client;
    const waiting: StatsPoke[] = [];
    const stream = new StatsStream({ client, clock, logger: silentLogger, gateway: 'g1', waiting: () => waiting });
    const stop = new AbortController();
    const report = (second: number): StatsReport => ({ type: 'report', second, revisions: [] });
    stream.report(report(1));
    const running = stream.run(stop.signal);
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    await turn();
    stream.report(report(2));
    await turn();
    assert.deepEqual(connections[0], [{ type: 'hello', gateway: 'g1', version: 1 }, report(1), report(2)]);
    waiting.push({ type: 'poke', namespace: 'n', revision: 'r', queued: 1, running: 0 });
    replies[0]?.write('{"type":"resend"}\n');
    for (let turns = 0; turns < 5; turns++) await turn();
    assert.deepEqual(connections[0]?.slice(3), [report(1), report(2), waiting[0]]);
    replies[0]?.end();
    for (let turns = 0; turns < 5; turns++) await turn();
    await clock.advance(5000);
    assert.deepEqual(connections[1], [{ type: 'hello', gateway: 'g1', version: 1 }, report(1), report(2), waiting[0]]);
    stop.abort();
    replies[1]?.end();
    await running;
  });
});

describe('access log', () => {
  const record = {
    time: start,
    proto: 'HTTP/1.1',
    remote: '10.0.0.1',
    method: 'GET',
    target: '/a?b',
    host: 'app.test',
    userAgent: 'say "hi"',
    requestId: 'r',
    traceId: 't',
    headLines: 'Host: app.test\r\nReferer: http://r\r\nX-Two: a\r\nx-two: b\r\nContent-Length: 7\r\n',
    status: 200,
    durationMs: 12.5,
    responseBytes: 99,
    namespace: 'ns',
    revision: 'rev',
    service: 'svc',
    configuration: 'cfg',
    pod: 'ns/pod',
    podIp: '10.0.0.2',
  };
  const written = (options: { format: 'json' | 'template'; template?: string }): string => {
    let text = '';
    accessLog({ ...options, write: (line) => (text += line) })(record);
    return text;
  };

  test('JSON, one line a request', () => {
    const { headLines, ...rest } = record;
    assert.ok(headLines.length > 0);
    assert.deepEqual(JSON.parse(written({ format: 'json' })), { ...rest, time: '2026-01-01T00:00:00.000Z' });
  });

  test("Knative's template fields", () => {
    const template =
      '{{.Request.Method}} {{ .Request.URL.Path }} {{.Response.Code}} {{.Response.Latency}} {{.Revision.PodName}} "{{js .Request.UserAgent}}"';
    assert.equal(written({ format: 'template', template }), 'GET /a 200 0.012500 pod "say \\"hi\\""\n');
    const more =
      '{{.Request.ContentLength}} {{.Request.Referer}} {{index .Request.Header "X-Two"}} {{.Request.Header.Get "X-Two"}} ' +
      '{{js (.Request.Header.Get "None")}}{{index .Request.Header "None"}} {{.Revision.Service}}/{{.Revision.Configuration}} {{.Revision.PodIP}}';
    assert.equal(written({ format: 'template', template: more }), '7 http://r [a b] a [] svc/cfg 10.0.0.2\n');
    assert.throws(() => written({ format: 'template', template: '{{.Nope}}' }), /can't evaluate field Nope in type/);
    const chosen = '{{if eq .Response.Code 500}}{{.Nope}}{{else if .Revision.Service}}of {{.Revision.Service}}{{end}}';
    assert.equal(written({ format: 'template', template: chosen }), 'of svc\n');
    record.status = 500;
    const words = 'Invalid request log template: method: GET, response code: 500, latency: 0.012500, url: ';
    assert.ok(written({ format: 'template', template: chosen }).startsWith(words));
  });
});
