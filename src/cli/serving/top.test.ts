import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { labels } from '#apis/serving/names.ts';
import type { Revision, Service } from '#apis/serving/v1/schemas.ts';
import { failureReason } from '#cli/serving/trouble.ts';
import { readCounters, topRows } from '#cli/serving/top.ts';

const page = (requests: number, failures: number) => `# TYPE dormouse_gateway_requests_total counter
dormouse_gateway_requests_total{namespace="n",revision="s-1",code="2xx"} ${requests}
dormouse_gateway_requests_total{namespace="n",revision="s-1",code="5xx"} ${failures}
dormouse_gateway_requests_running{namespace="n",revision="s-1"} 4
dormouse_gateway_cold_start_seconds_bucket{namespace="n",revision="s-1",le="+Inf"} 9
dormouse_gateway_cold_start_seconds_count{namespace="n",revision="s-1"} 2
dormouse_gateway_route_rules 7
`;

const objects = {
  services: [{ metadata: { namespace: 'n', name: 's' } }, { metadata: { namespace: 'n', name: 'a' } }] as Service[],
  revisions: [{ metadata: { namespace: 'n', name: 's-1', labels: { [labels.service]: 's' } } }] as unknown as Revision[],
  pods: [],
};
const sample = (atMs: number, requests: number, failures: number) => ({ atMs, counters: readCounters(page(requests, failures)) });

describe('top', () => {
  test("adds up a revision's codes and takes rates between two samples; the busiest comes first", () => {
    const [first, second] = topRows(objects, sample(0, 10, 0), sample(2000, 25, 5));
    assert.deepEqual(first, {
      namespace: 'n',
      service: 's',
      ready: 'Unknown',
      pods: 0,
      requestsPerSecond: 10,
      requests: 30,
      running: 4,
      queued: 0,
      coldStarts: 2,
    });
    assert.equal(second?.service, 'a');
  });

  test('a gateway that began to count again gives no negative rate', () => {
    assert.equal(topRows(objects, sample(0, 1000, 0), sample(1000, 3, 0))[0]?.requestsPerSecond, 3);
  });
});

describe('the reason of a failed deploy', () => {
  const revision = (status: string, message?: string) => ({ status: { conditions: [{ type: 'Ready', status, message }] } }) as Revision;

  test('is what the newest revision says of itself when it has failed, else the summary of the Service', () => {
    assert.equal(failureReason(revision('False', 'Unable to fetch image "x"'), 'summary'), 'Unable to fetch image "x"');
    assert.equal(failureReason(revision('Unknown', 'Deploying'), 'summary'), 'summary');
    assert.equal(failureReason(revision('False'), 'summary'), 'summary');
    assert.equal(failureReason(undefined, 'summary'), 'summary');
  });
});
