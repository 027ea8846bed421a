import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { describe, it } from 'node:test';
import type { Probe } from '#apis/core/v1/probe.ts';
import { FakeClock } from '#core/clock.ts';
import { ContainerProbes, ProbePace, type ProbeSet } from '#node/probes/container-probes.ts';
import type { ProbeTarget } from '#node/probes/probe-target.ts';

/** A container that accepts connections and answers exec probes while `isUp`. */
class Rig {
  readonly clock = new FakeClock();
  readonly seen: string[] = [];
  attempts = 0;
  isUp = false;
  readonly probes: ContainerProbes;

  constructor(probes: ProbeSet, aggressive = false) {
    const target: ProbeTarget = {
      podIp: '10.0.0.1',
      connect: () => {
        this.attempts += 1;
        return this.isUp ? Promise.resolve(new PassThrough()) : Promise.reject(new Error('connection refused'));
      },
      exec: () => {
        this.attempts += 1;
        return Promise.resolve({ exitCode: this.isUp ? 0 : 1, output: 'not yet' });
      },
      resolvePort: Number,
    };
    const listener = {
      started: () => this.seen.push('started'),
      ready: (isReady: boolean) => this.seen.push(isReady ? 'ready' : 'unready'),
      unhealthy: (kind: string, message: string) => this.seen.push(`${kind}: ${message}`),
      failed: (kind: string) => this.seen.push(`${kind} failed`),
    };
    this.probes = new ContainerProbes({
      probes,
      target,
      clock: this.clock,
      pace: new ProbePace(),
      aggressive,
      detectHttp2: false,
      listener,
    });
  }

  /** Lets time pass in small steps, so that an attempt's promises settle before the next is due. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 5) await this.clock.advance(Math.min(5, left));
  }
}

const tcp = (extra: Partial<Probe> = {}): Probe => ({ tcpSocket: { port: 1 }, periodSeconds: 1, failureThreshold: 2, ...extra });
const exec = (extra: Partial<Probe> = {}): Probe => ({ exec: { command: ['check'] }, periodSeconds: 1, failureThreshold: 2, ...extra });

describe('container probes', () => {
  it('make a container without probes started and ready at once', () => {
    const rig = new Rig({});
    rig.probes.start();
    assert.deepEqual(rig.seen, ['started', 'ready']);
  });

  it('see readiness within milliseconds when asked to be aggressive', async () => {
    const rig = new Rig({ readiness: tcp() }, true);
    rig.probes.start();
    await rig.pass(100);
    assert.ok(rig.attempts >= 8, `${rig.attempts} attempts`);
    rig.isUp = true;
    await rig.pass(15);
    assert.deepEqual(rig.seen, ['started', 'ready']);
  });

  it('count failures of readiness once a period, however often it is asked before the first success', async () => {
    const rig = new Rig({ readiness: tcp() });
    rig.probes.start();
    await rig.pass(2_500);
    assert.deepEqual(rig.seen, ['started', 'Readiness: connection refused', 'Readiness: connection refused']);
  });

  it('take readiness away after the threshold and give it back', async () => {
    const rig = new Rig({ readiness: exec() });
    rig.isUp = true;
    rig.probes.start();
    await rig.pass(10);
    rig.isUp = false;
    await rig.pass(1_500);
    assert.ok(!rig.seen.includes('unready'));
    await rig.pass(1_000);
    assert.ok(rig.seen.includes('unready'));
    rig.isUp = true;
    await rig.pass(1_500);
    assert.equal(rig.seen.at(-1), 'ready');
  });

  it('report a liveness probe that fails too often, once', async () => {
    const rig = new Rig({ liveness: exec() });
    rig.probes.start();
    await rig.pass(5_000);
    assert.deepEqual(rig.seen, ['started', 'ready', 'Liveness: not yet', 'Liveness: not yet', 'Liveness failed']);
  });

  it('hold readiness and liveness back until the startup probe succeeds', async () => {
    const rig = new Rig({ startup: exec({ failureThreshold: 10 }), liveness: exec({ failureThreshold: 1 }) });
    rig.probes.start();
    await rig.pass(3_000);
    assert.ok(!rig.seen.includes('started') && !rig.seen.includes('Liveness failed'));
    rig.isUp = true;
    await rig.pass(1_500);
    assert.ok(rig.seen.includes('started') && rig.seen.includes('ready'));
  });

  it('need as many successes in a row as the threshold says', async () => {
    const rig = new Rig({ readiness: exec({ successThreshold: 3 }) });
    rig.isUp = true;
    rig.probes.start();
    await rig.pass(1_500);
    assert.ok(!rig.seen.includes('ready'));
    await rig.pass(1_000);
    assert.ok(rig.seen.includes('ready'));
  });

  it('ask nothing while paused and after they have been stopped', async () => {
    const rig = new Rig({ liveness: exec() });
    rig.isUp = true;
    rig.probes.start();
    await rig.pass(10);
    rig.probes.pause();
    rig.isUp = false;
    const before = rig.attempts;
    await rig.pass(10_000);
    assert.equal(rig.attempts, before);
    rig.isUp = true;
    rig.probes.resume();
    await rig.pass(1_500);
    assert.ok(rig.attempts > before && !rig.seen.includes('Liveness failed'));
    rig.probes.stop();
    const after = rig.attempts;
    await rig.pass(5_000);
    assert.equal(rig.attempts, after);
  });

  it('wait for the initial delay', async () => {
    const rig = new Rig({ readiness: tcp({ initialDelaySeconds: 5 }) });
    rig.isUp = true;
    rig.probes.start();
    await rig.pass(4_990);
    assert.equal(rig.attempts, 0);
    await rig.pass(20);
    assert.equal(rig.seen.at(-1), 'ready');
  });
});

describe('the pace of probes', () => {
  it('slows down with the time waited and with the number that wait', () => {
    const pace = new ProbePace();
    assert.equal(pace.intervalMs(true, 0), 10);
    assert.equal(pace.intervalMs(false, 10_000), 500);
    for (let index = 0; index < 100; index += 1) pace.enter();
    assert.equal(pace.intervalMs(true, 0), 800);
  });
});
