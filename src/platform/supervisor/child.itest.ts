import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { FakeClock, systemClock, type Clock } from '#core/clock.ts';
import { UserError } from '#core/errors.ts';
import { silentLogger } from '#core/logger.ts';
import { resolveConfig } from '#core/config.ts';
import { until } from '#core/testing.ts';
import { layoutOf } from '#platform/layout.ts';
import type { ProcessConfig } from '#platform/process-config.ts';
import { settings } from '#platform/settings.ts';
import { Child } from '#platform/supervisor/child.ts';
import { ask, listen } from '#platform/supervisor/socket.ts';

const frame = new URL('../process.ts', import.meta.url).href;
const errors = new URL('../../core/errors.ts', import.meta.url).href;

/** A process that writes down, when it is stopped, whether it is told to clean up. */
const notingItsStop = (note: string) => `
  import { writeFileSync } from 'node:fs';
  import { runProcess } from ${JSON.stringify(frame)};
  runProcess(async () => ({ details: {}, stop: async (cleanUp) => writeFileSync(${JSON.stringify(note)}, String(cleanUp)) }));
`;

describe('a process of the platform', () => {
  let directory = '';
  let server: Server;
  let children: Child[] = [];

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'dormouse-child-'));
    children = [];
    server = await listen(join(directory, 's.sock'), directory, {
      answer: ({ command }) => (command === 'status' ? Promise.resolve({}) : Promise.reject(new Error('there is none'))),
      attach: ({ pid }, socket) => children.find((child) => child.status().pid === pid)?.attach(pid, socket),
    });
  });

  afterEach(async () => {
    await Promise.all(children.map((child) => child.stop(false)));
    server.close();
    rmSync(directory, { recursive: true, force: true });
  });

  function child(source: string, clock: Clock = systemClock): Child {
    const role = 'node';
    const entry = join(directory, `${role}.mjs`);
    writeFileSync(entry, source);
    const { values } = resolveConfig(settings, { flags: { 'data-dir': directory }, environment: {}, file: {} });
    const layout = { ...layoutOf(directory), supervisorSocket: join(directory, 's.sock') };
    const config = { role, version: '0', settings: values, layout, ports: {} } as unknown as ProcessConfig;
    const made = new Child({
      config,
      entry: pathToFileURL(entry),
      logFile: join(directory, 'log'),
      clock,
      logger: silentLogger,
    });
    children.push(made);
    return made;
  }

  test('stopping it while it waits for its next start after a deadly signal returns, and it stays down', async () => {
    const clock = new FakeClock();
    const one = child(`process.kill(process.pid, 'SIGKILL');`, clock);
    void one.start();
    await until('waiting', () => one.status().state === 'waiting');
    await one.stop(true);
    await clock.advance(20_000);
    assert.deepEqual([one.status().state, one.status().restarts], ['stopped', 0]);
  });

  test('it can be stopped before it ever said that it is ready', async () => {
    const one = child(`setInterval(() => {}, 1000);`);
    void one.start();
    await until('a process', () => one.status().pid !== undefined);
    await one.stop(false);
    assert.throws(() => process.kill(one.status().pid ?? 0, 0), { code: 'ESRCH' });
  });

  test('one that keeps ending before it is ready fails its start, with how it ended and the end of its log', async () => {
    const one = child(`console.error('no such thing'); process.exit(7);`);
    await assert.rejects(one.start(), (error) => {
      assert.ok(error instanceof UserError);
      assert.equal(error.message, 'node: its process ended 3 times before it was ready (exit code 7)');
      assert.match(error.hint ?? '', /no such thing$/);
      return true;
    });
  });

  test('one that says why it cannot start fails its start with that, and what to do', async () => {
    const one = child(`
      import { runProcess } from ${JSON.stringify(frame)};
      import { UserError } from ${JSON.stringify(errors)};
      runProcess(() => Promise.reject(new UserError('it is forbidden', { hint: 'allow it' })));
    `);
    await assert.rejects(one.start(), (error) => {
      assert.ok(error instanceof UserError);
      assert.deepEqual([error.message, error.hint], ['node: it is forbidden', 'allow it']);
      return true;
    });
  });

  test('a line on the socket that is no request ends that connection and nothing else', async () => {
    for (const line of ['hello', '7', 'null']) {
      const socket = connect(join(directory, 's.sock'));
      socket.end(`${line}\n`);
      await once(socket.resume(), 'close');
    }
    assert.deepEqual(await ask(join(directory, 's.sock'), { command: 'status' }), {});
    await assert.rejects(ask(join(directory, 's.sock'), { command: 'restart-gateway' }), /failed at "restart-gateway": there is none/);
  });

  test('a process that ends by itself while the platform is being stopped is not started again', async () => {
    const clock = new FakeClock();
    const one = child(`setTimeout(() => process.exit(1), 150);`, clock);
    void one.start();
    one.expectStop();
    await until('its end', () => {
      try {
        return !process.kill(one.status().pid ?? 0, 0);
      } catch {
        return true;
      }
    });
    await clock.advance(20_000);
    assert.equal(one.status().restarts, 0);
  });

  test('a SIGTERM to all does not end a process before its turn, and its stop is told to clean up', async () => {
    const note = join(directory, 'stopped');
    const one = child(notingItsStop(note));
    await one.start();
    process.kill(one.status().pid ?? 0, 'SIGTERM');
    one.expectStop();
    // Longer than a SIGTERM waits for the supervisor's word.
    await delay(900);
    assert.equal(existsSync(note), false);
    await one.stop(true);
    assert.equal(readFileSync(note, 'utf8'), 'true');
  });

  test('a SIGTERM to it alone ends it in order, and it is started again', async () => {
    const note = join(directory, 'stopped');
    const one = child(notingItsStop(note));
    await one.start();
    process.kill(one.status().pid ?? 0, 'SIGTERM');
    await until('a new process', () => one.status().restarts === 1 && one.status().state === 'ready');
    assert.equal(readFileSync(note, 'utf8'), 'false');
  });
});
