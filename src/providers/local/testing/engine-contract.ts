// budget: one contract, read top to bottom
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { after, before, describe, test } from 'node:test';
import type { ContainerSpec } from '#apis/runtime/engine.ts';
import { processesWith } from '#providers/local/processes.ts';
import { signal, until, World, type EngineUnderTest } from '#providers/local/testing/engine-world.ts';
import { sandboxSpec } from '#providers/local/testing/specs.ts';

/** Everything src/apis/runtime/engine.ts promises, against a real engine. */
export function describeEngine(name: string, skip: string | false, subject: EngineUnderTest): void {
  describe(`engine contract: ${name}`, { skip }, () => {
    const world = new World(subject);
    before(() => world.open());
    after(() => world.close());
    describeRunning(world);
    describeIsolation(world, subject);
    describeStreams(world);
    describeExec(world);
    describeLimits(world);
    describeRestart(world);
  });
}

function describeRunning(world: World): void {
  test('runs a container to its end and reports code, times and complete output', async () => {
    const { output, state } = await world.run(['sh', '-c', 'i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done; exit 7']);
    assert.equal(state.exitCode, 7);
    assert.equal(state.status, 'exited');
    assert.ok((state.finishedAtMs ?? 0) >= (state.startedAtMs ?? Infinity) - 1);
    assert.match(state.id, /^dormouse:\/\/./);
    assert.equal(output.split('\n').length, 2001);
    assert.ok(output.endsWith('line 1999\n'));
  });

  test('creating a sandbox again with the same id gives the same sandbox', async () => {
    const id = await world.sandbox();
    const [known] = (await world.engine.list()).filter((state) => state.id === id);
    assert.deepEqual(await world.engine.createSandbox(sandboxSpec(id), signal()), known);
    await world.engine.removeSandbox(id);
    await world.engine.removeSandbox(id);
  });

  test('an application without signal handlers ends at SIGTERM with 143', async () => {
    const id = await world.sandbox();
    await world.start(id, ['sleep', '1000']);
    await world.engine.signalContainer(id, 'main', 'SIGTERM');
    const state = await world.ended(id);
    assert.equal(state.exitCode, 143);
    assert.equal(state.signal, 15);
    await world.engine.signalContainer(id, 'main', 'SIGTERM');
    await world.engine.removeSandbox(id);
  });

  test('an application that ignores SIGTERM ends at SIGKILL, its children too', async () => {
    const id = await world.sandbox();
    await world.start(id, ['sh', '-c', "trap '' TERM; sleep 1234 & while true; do sleep 1; done"]);
    await world.engine.signalContainer(id, 'main', 'SIGTERM');
    await world.engine.signalContainer(id, 'main', 'SIGKILL');
    assert.equal((await world.ended(id)).exitCode, 137);
    await world.engine.removeSandbox(id);
  });

  test('a handler for the stop signal is called', async () => {
    const id = await world.sandbox();
    await world.start(id, ['sh', '-c', "trap 'echo bye; exit 9' USR1; echo ready; while true; do sleep 0.05; done"]);
    await until(() => (world.output(id).includes('ready') ? true : undefined));
    await world.engine.signalContainer(id, 'main', 'SIGUSR1');
    assert.equal((await world.ended(id)).exitCode, 9);
    assert.match(world.output(id), /bye/);
    await world.engine.removeSandbox(id);
  });

  test('a container can be started again after it ended, with a fresh root file system', async () => {
    const id = await world.sandbox();
    await world.start(id, ['sh', '-c', 'echo > /made; exit 1']);
    await world.ended(id);
    await world.start(id, ['ls', '/made'], { attempt: 1 });
    assert.equal((await world.ended(id, 'main', 1)).exitCode, 1);
    const [state] = (await world.engine.list()).filter((one) => one.id === id);
    assert.equal(state?.containers.length, 1);
    await world.engine.removeSandbox(id);
  });

  test('starting a running container again returns it; another attempt is refused', async () => {
    const id = await world.sandbox();
    const first = await world.start(id, ['sleep', '100']);
    assert.equal((await world.start(id, ['sleep', '100'])).id, first.id);
    await assert.rejects(world.start(id, ['sleep', '100'], { attempt: 1 }), /still running/);
    await world.engine.removeSandbox(id);
  });

  for (const [what, args, message] of [
    ['a command that is not in PATH', ['nosuchthing'], /exec: "nosuchthing": executable file not found in \$PATH/],
    ['a path that does not exist', ['/no/such'], /exec: "\/no\/such": no such file or directory/],
    ['a file without permission', ['/layer.txt'], /exec: "\/layer.txt": permission denied/],
  ] as const) {
    test(`${what} fails the start and says so; the sandbox goes on working`, async () => {
      const id = await world.sandbox();
      await assert.rejects(world.start(id, args), message);
      await world.start(id, ['true'], { attempt: 1 });
      assert.equal((await world.ended(id, 'main', 1)).exitCode, 0);
      await world.engine.removeSandbox(id);
    });
  }

  test('containers of one pod share network and host name, not files and processes', async () => {
    const id = await world.sandbox();
    await world.start(id, ['sh', '-c', 'echo x > /mine; echo served | nc -l -p 7000'], { name: 'server' });
    const client = 'until nc 127.0.0.1 7000 < /dev/null; do sleep 0.02; done; hostname; ls /mine; ps';
    await world.start(id, ['sh', '-c', client], { name: 'client' });
    await world.ended(id, 'client');
    const output = world.output(id, 'client');
    assert.match(output, /served/);
    assert.match(output, new RegExp(`pod-${id}`));
    assert.match(output, /\/mine: No such file/);
    assert.doesNotMatch(output, /nc -l/);
    await world.engine.removeSandbox(id);
  });

  test('with a shared process namespace containers see each other, and SIGKILL ends one of them whole', async () => {
    const id = await world.sandbox({ shareProcessNamespace: true });
    await world.start(id, ['sh', '-c', 'sleep 4321 & sleep 4322'], { name: 'one' });
    await world.start(id, ['sh', '-c', 'until ps | grep -q "sleep 432[2]"; do sleep 0.02; done; ps'], { name: 'two' });
    await world.ended(id, 'two');
    assert.match(world.output(id, 'two'), /sleep 4321/);
    await world.engine.signalContainer(id, 'one', 'SIGKILL');
    assert.equal((await world.ended(id, 'one')).exitCode, 137);
    await world.engine.removeSandbox(id);
  });

  test('a container that wants to see another’s processes lives among them, and ends with it', async () => {
    const id = await world.sandbox();
    await world.start(id, ['sh', '-c', 'sleep 4711 & wait'], { name: 'target' });
    await world.start(id, ['sh', '-c', 'sleep 4712 & wait'], { name: 'debugger', processesOf: 'target' });
    const list = await until(async () => {
      const { stdout } = await world.exec(id, ['ps'], undefined, false, 'debugger');
      return stdout.includes('sleep 4712') ? stdout : undefined;
    });
    assert.match(list, /sleep 4711/);
    await world.engine.signalContainer(id, 'debugger', 'SIGKILL');
    await world.ended(id, 'debugger');
    const left = () => world.exec(id, ['ps'], undefined, false, 'target').then(({ stdout }) => /sleep 4712/.test(stdout));
    await until(async () => ((await left()) ? undefined : true));
    await world.start(id, ['sh', '-c', 'sleep 4712 & wait'], { name: 'debugger', attempt: 1, processesOf: 'target' });
    await world.engine.signalContainer(id, 'target', 'SIGKILL');
    await Promise.all([world.ended(id, 'target'), world.ended(id, 'debugger', 1)]);
    await assert.rejects(world.start(id, ['true'], { name: 'late', processesOf: 'target' }), /running container target/);
    await world.engine.removeSandbox(id);
  });

  test('a pod among the machine’s processes sees them; what it has started goes with it', async () => {
    const id = await world.sandbox({ hostProcesses: true });
    const mark = `${process.pid}4713`;
    await world.start(id, ['sh', '-c', `sleep ${mark} & tail -n 1 /proc/${process.pid}/comm; wait`]);
    await until(() => (world.output(id).includes('\n') ? true : undefined));
    assert.equal(world.output(id), readFileSync(`/proc/${process.pid}/comm`, 'utf8'));
    const sleepers = () => processesWith((words) => words[0] === 'sleep' && words[1] === mark);
    await until(() => (sleepers().length === 1 ? true : undefined));
    assert.match((await world.exec(id, ['cat', '/proc/sys/kernel/hostname'])).stdout, /^pod-sandbox-/);
    await world.engine.removeSandbox(id);
    await until(() => (sleepers().length === 0 ? true : undefined));
  });

  test('sysctls, host aliases, DNS settings and the missing resolv.conf target are honoured', async () => {
    const script = 'cat /proc/sys/net/ipv4/ip_unprivileged_port_start /etc/hosts /etc/resolv.conf /etc/hostname';
    const changes = {
      sysctls: { 'net.ipv4.ip_unprivileged_port_start': '77' },
      hostAliases: [{ ip: '9.8.7.6', hostnames: ['far.example', 'far'] }],
    };
    const { output } = await world.run(['sh', '-c', script], {}, changes);
    assert.match(output, /^77\n/);
    assert.match(output, /9\.8\.7\.6\tfar\.example\tfar/);
    assert.match(output, /search default\.svc\.cluster\.local\nnameserver 10\.0\.0\.10\noptions ndots:5/);
  });

  test('pods reach each other by address', async () => {
    const [server, client] = [await world.sandbox(), await world.sandbox()];
    const ip = (await world.engine.list()).find((state) => state.id === server)?.ip;
    await world.start(server, ['sh', '-c', 'echo over the bridge | nc -l -p 7000']);
    await world.start(client, ['sh', '-c', `until nc ${ip} 7000 < /dev/null; do sleep 0.02; done`]);
    await world.ended(client);
    assert.match(world.output(client), /over the bridge/);
    await world.engine.removeSandbox(server);
    await world.engine.removeSandbox(client);
  });
}

function describeIsolation(world: World, subject: EngineUnderTest): void {
  test('a container has few capabilities, a seccomp filter, a read-only /proc/sys and masked files', async () => {
    const script =
      'grep -E "CapBnd|Seccomp:|NoNewPrivs" /proc/self/status; echo 1 > /proc/sys/kernel/domainname; mount -t tmpfs x /tmp; unshare -U true; head -c1 /proc/keys; mknod /tmp/sda b 8 0; cat /tmp/sda';
    const { output } = await world.run(['sh', '-c', script]);
    const bounding = BigInt(`0x${/CapBnd:\s*(\w+)/.exec(output)?.[1]}`);
    assert.equal(bounding & ~0xa80425fbn, 0n, `unexpected capabilities ${bounding.toString(16)}`);
    assert.match(output, /Seccomp:\s*2/);
    assert.match(output, subject.alwaysNoNewPrivileges ? /NoNewPrivs:\s*1/ : /NoNewPrivs:\s*0/);
    assert.match(output, /(domainname: Read-only file system|nonexistent|Permission denied)/);
    assert.match(output, /mount: .*(Operation not permitted|denied)/);
    assert.match(output, /unshare.*not permitted/);
    assert.match(output, /sda': (Permission denied|Operation not permitted|No such)/);
  });

  test('noNewPrivileges, dropped and added capabilities, a read-only root and Unconfined are honoured', async () => {
    const security = {
      privileged: false,
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      addCapabilities: ['NET_ADMIN'],
      dropCapabilities: ['ALL'],
      seccomp: 'Unconfined',
    } as const;
    const { output } = await world.run(['sh', '-c', 'grep -E "CapEff|Seccomp:|NoNewPrivs" /proc/self/status; echo > /x'], { security });
    assert.match(output, /CapEff:\s*0000000000001000/);
    assert.match(output, /Seccomp:\s*0/);
    assert.match(output, /NoNewPrivs:\s*1/);
    assert.match(output, /Read-only file system/);
  });

  test(
    'users and groups are looked up in the image; the pod decides before it',
    { skip: subject.severalUsers ? false : 'one id is mapped' },
    async () => {
      const as = async (user: ContainerSpec['user']) => (await world.run(['sh', '-c', 'id; echo $HOME; touch /x'], { user })).output;
      const named = await as({ supplementalGroups: [77], fromImage: 'app' });
      assert.match(named, /uid=1234\(app\) gid=2345\(app\) groups=(.*)\n\/home\/app/);
      for (const group of ['77', '3456(extra)']) assert.ok(named.includes(group), `${group} in ${named}`);
      assert.match(named, /Permission denied/);
      assert.match(await as({ supplementalGroups: [], fromImage: '55:66' }), /uid=55 gid=66/);
      assert.match(await as({ uid: 1234, gid: 9, supplementalGroups: [], fromImage: 'root' }), /uid=1234\(app\) gid=9/);
      await assert.rejects(as({ supplementalGroups: [], fromImage: 'nobodyknows' }), /unable to find user nobodyknows/);
    },
  );

  test('mounts appear, read-only ones cannot be written, a missing source is an error', async () => {
    const source = join(world.directory, 'volume');
    mkdirSync(source, { recursive: true });
    writeFileSync(join(source, 'data'), 'from the host\n');
    const mounts = [
      { hostPath: source, containerPath: '/rw', readOnly: false },
      { hostPath: source, containerPath: '/deep/er/ro', readOnly: true },
      { hostPath: join(source, 'data'), containerPath: '/etc/one-file', readOnly: true },
    ];
    const last = join(world.directory, 'termination');
    const terminationMessage = { hostPath: last, containerPath: '/dev/termination-log' };
    const script =
      'cat /etc/one-file; echo new > /rw/new; cat /deep/er/ro/new; echo > /deep/er/ro/x; echo last words > /dev/termination-log';
    const { output } = await world.run(['sh', '-c', script], { mounts, terminationMessage });
    assert.match(output, /^from the host\nnew\n/);
    assert.match(output, /ro\/x: Read-only file system/);
    assert.equal(readFileSync(last, 'utf8'), 'last words\n');
    await assert.rejects(
      world.run(['true'], { mounts: [{ hostPath: '/no/such/volume', containerPath: '/v', readOnly: false }] }),
      /no\/such\/volume/,
    );
  });

  test('environment and working directory; a missing working directory is made', async () => {
    const { output } = await world.run(['sh', '-c', 'pwd; echo $A; echo $HOSTNAME; echo $PATH'], {
      environment: ['A=b c'],
      workingDirectory: '/made/for/me',
    });
    assert.match(output, /^\/made\/for\/me\nb c\npod-sandbox-\d+\n\/usr\/local\/sbin/);
  });
}

function describeStreams(world: World): void {
  test('the log has CRI format with both streams; text without a line end is kept', async () => {
    const id = await world.sandbox();
    await world.start(id, ['sh', '-c', 'echo out; echo err >&2; printf unfinished']);
    await world.ended(id);
    const log = readFileSync(world.log(id), 'utf8');
    assert.match(log, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z stdout F out$/m);
    assert.match(log, /stderr F err$/m);
    assert.match(log, /stdout P unfinished$/m);
    await world.engine.removeSandbox(id);
  });

  test('attach gives output and takes input; with stdinOnce its end is the container’s', async () => {
    const id = await world.sandbox();
    await world.start(id, ['sh', '-c', 'while read x; do echo got $x; done; echo over'], { stdin: true, stdinOnce: true });
    const [stdin, stdout] = [new PassThrough(), new PassThrough()];
    const output = text(stdout);
    const attached = world.engine.attach(id, 'main', { tty: false, stdin, stdout, signal: signal() });
    stdin.write('one\n');
    await until(() => (world.output(id).includes('got one') ? true : undefined));
    stdin.end('two\n');
    await attached;
    stdout.end();
    assert.match(await output, /got two\nover\n/);
    assert.equal((await world.ended(id)).exitCode, 0);
    await world.engine.removeSandbox(id);
  });

  test('a container with an open input ends all the same, with a terminal and without, also among another’s processes', async () => {
    const id = await world.sandbox();
    await world.start(id, ['sh', '-c', 'while true; do sleep 0.1; done'], { name: 'target' });
    for (const [index, tty] of [false, true].entries()) {
      for (const [name, among] of [
        ['alone', {}],
        ['guest', { processesOf: 'target' }],
      ] as const) {
        await world.start(id, ['sh', '-c', 'sleep 0.1; exit 3'], { name, attempt: index, stdin: true, tty, ...among });
        assert.equal((await world.ended(id, name, index)).exitCode, 3);
      }
    }
    const { stdout } = await world.exec(id, ['ps'], undefined, false, 'target');
    assert.doesNotMatch(stdout, /guest/);
    await world.engine.removeSandbox(id);
  });

  test('a container with a terminal', async () => {
    const id = await world.sandbox();
    await world.start(id, ['sh', '-c', 'tty; read x; stty size; echo got $x'], { tty: true, stdin: true });
    const [stdin, stdout] = [new PassThrough(), new PassThrough()];
    stdout.resume();
    const attached = world.engine.attach(id, 'main', {
      tty: true,
      stdin,
      stdout,
      signal: signal(),
      resize: (listen) => listen({ width: 120, height: 40 }),
    });
    await until(() => (world.output(id).includes('\n') ? true : undefined));
    await delay(50);
    stdin.write('hello\n');
    await attached;
    const output = world.output(id);
    assert.match(output, /\/dev\/pts\/\d/);
    assert.match(output, /40 120/);
    assert.match(output, /got hello/);
    await world.engine.removeSandbox(id);
  });
}

function describeExec(world: World): void {
  test('exec: codes, both outputs, input, environment, errors, abort', async () => {
    const id = await world.sandbox();
    await world.start(id, ['sleep', '1000'], { environment: ['FROM=container'], workingDirectory: '/tmp' });
    assert.deepEqual(await world.exec(id, ['sh', '-c', 'pwd; echo $FROM; echo no >&2; exit 4']), {
      code: 4,
      stdout: '/tmp\ncontainer\n',
      stderr: 'no\n',
    });
    const big = 'x'.repeat(3_000_000);
    assert.equal((await world.exec(id, ['cat'], big)).stdout, big);
    assert.equal((await world.exec(id, ['sh', '-c', 'kill -9 $$'])).code, 137);
    assert.match((await world.exec(id, ['ps'])).stdout, /sleep 1000/);
    await assert.rejects(world.exec(id, ['nosuch']), /executable file not found/);
    const aborting = new AbortController();
    const hanging = world.engine.exec(id, 'main', { command: ['sleep', '777'], tty: false, signal: aborting.signal });
    await until(async () => ((await world.exec(id, ['ps'])).stdout.includes('sleep 777') ? true : undefined));
    aborting.abort(new Error('enough'));
    await assert.rejects(hanging, /enough/);
    await until(async () => ((await world.exec(id, ['ps'])).stdout.includes('sleep 777') ? undefined : true));
    await world.engine.removeSandbox(id);
    await assert.rejects(world.exec(id, ['true']), /not found/);
  });

  test('exec with a terminal', async () => {
    const id = await world.sandbox();
    await world.start(id, ['sleep', '1000']);
    const { code, stdout } = await world.exec(id, ['sh', '-c', 'tty; read x; echo "<$x>"; exit 3'], 'typed\n', true);
    assert.equal(code, 3);
    assert.match(stdout, /\/dev\/pts\/\d/);
    assert.match(stdout, /<typed>/);
    await world.engine.removeSandbox(id);
  });

  test('dial reaches the pod’s loopback and carries much data whole; a closed port is an error', async () => {
    const id = await world.sandbox();
    await world.start(id, ['sh', '-c', 'nc -l -p 7070 -e cat']);
    await until(async () => ((await world.exec(id, ['netstat', '-ltn'])).stdout.includes(':7070') ? true : undefined));
    const stream = await world.engine.dial(id, 7070, signal());
    const data = Buffer.alloc(5_000_000, 'dormouse');
    const answer = (async () => {
      let length = 0;
      for await (const chunk of stream.readable) {
        length += (chunk as Buffer).length;
        if (length >= data.length) break;
      }
      return length;
    })();
    stream.writable.write(data);
    assert.equal(await answer, data.length);
    stream.destroy();
    await assert.rejects(world.engine.dial(id, 7071, signal()), /connect to port 7071/);
    await world.engine.removeSandbox(id);
  });
}

function describeLimits(world: World): void {
  test('memory beyond the limit is an OOM kill', async (context) => {
    if (!world.engine.capabilities.limits.memory) return context.skip('no memory limits here');
    const { state } = await world.run(['sh', '-c', 'x=a; while true; do x=$x$x; done'], { resources: { memoryLimitBytes: 32 * 2 ** 20 } });
    assert.equal(state.exitCode, 137);
    assert.equal(state.oomKilled, true);
  });

  test('stats count, limits can be changed', async (context) => {
    if (!world.engine.capabilities.limits.memory) return context.skip('no control groups here');
    const id = await world.sandbox();
    await world.start(id, ['sh', '-c', 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; sleep 1000'], {
      resources: { memoryLimitBytes: 64 * 2 ** 20 },
    });
    const [usage] = await until(async () => {
      const { containers } = await world.engine.stats(id);
      return (containers[0]?.cpuUsageNanos ?? 0) > 1_000_000 ? containers : undefined;
    });
    assert.ok(
      usage !== undefined && usage.memoryUsageBytes > 0 && usage.memoryWorkingSetBytes <= usage.memoryUsageBytes && usage.pids >= 2,
    );
    await world.engine.removeSandbox(id);
  });

  test('a container reads its own limits at /sys/fs/cgroup and cannot change them', async (context) => {
    if (!world.engine.capabilities.limits.memory) return context.skip('no control groups here');
    const script = `cd /sys/fs/cgroup
      if [ -e cgroup.controllers ]; then memory=memory.max; cpu=cpu.max; else memory=memory/memory.limit_in_bytes; cpu=cpu/cpu.cfs_quota_us; fi
      cat $memory $cpu; echo 9 > $memory; echo 9 > $cpu; mkdir $(dirname $memory)/here
      grep ' /sys/fs/cgroup' /proc/mounts | grep -v ro, ; true`;
    const resources = { memoryLimitBytes: 64 * 2 ** 20, cpuLimitMillis: 500, cpuRequestMillis: 250 };
    const { output } = await world.run(['sh', '-c', script], { resources });
    assert.match(output, /^67108864\n50000( 100000)?\n/);
    assert.equal(output.match(/Read-only file system/g)?.length, 3, output);
    assert.doesNotMatch(output, / cgroup2? rw/);
  });

  test('a frozen pod stands still, goes on after thawing, and can be killed frozen', async (context) => {
    if (!world.engine.capabilities.freeze) return context.skip('freezing is not possible here');
    const id = await world.sandbox();
    await world.start(id, ['sh', '-c', 'while true; do date; sleep 0.01; done']);
    const size = () => readFileSync(world.log(id)).length;
    await until(() => (size() > 0 ? true : undefined));
    await world.engine.freeze?.(id);
    assert.equal((await world.engine.list()).find((state) => state.id === id)?.frozen, true);
    await delay(50);
    const frozen = size();
    await delay(100);
    assert.equal(size(), frozen);
    await world.engine.thaw?.(id);
    await until(() => (size() > frozen ? true : undefined));
    await world.engine.freeze?.(id);
    await world.engine.signalContainer(id, 'main', 'SIGKILL');
    assert.equal((await world.ended(id)).exitCode, 137);
    await world.engine.removeSandbox(id);
  });

  test('a frozen pod can be removed', async (context) => {
    if (!world.engine.capabilities.freeze) return context.skip('freezing is not possible here');
    const id = await world.sandbox();
    await world.start(id, ['sleep', '1000']);
    await world.engine.freeze?.(id);
    await world.engine.removeSandbox(id);
    assert.equal(
      (await world.engine.list()).some((state) => state.id === id),
      false,
    );
  });
}

function describeRestart(world: World): void {
  test('containers go on while no engine runs; output and ends in between are known afterwards', async () => {
    const [living, dying] = [await world.sandbox(), await world.sandbox()];
    await world.start(living, ['sh', '-c', 'i=0; while true; do echo $i; i=$((i+1)); sleep 0.01; done']);
    await world.start(dying, ['sh', '-c', 'echo first; until [ -e /tmp/go ]; do sleep 0.01; done; echo last; exit 5']);
    await until(() => (world.output(dying).includes('first') ? true : undefined));
    await world.exec(dying, ['sh', '-c', '(sleep 0.2; touch /tmp/go) </dev/null >/dev/null 2>&1 &']);
    const orphan = world.exec(living, ['sleep', '98765']).catch(() => undefined);
    await until(async () => ((await world.exec(living, ['ps'])).stdout.includes('98765') ? true : undefined));
    await world.engine[Symbol.asyncDispose]();
    await delay(400);
    await world.open();
    await orphan; // Nobody reads the output of a command of the engine before.
    assert.ok(!(await world.exec(living, ['ps'])).stdout.includes('98765'));
    const state = await world.ended(dying);
    assert.equal(state.exitCode, 5);
    assert.equal(world.output(dying), 'first\nlast\n');
    const running = (await world.engine.list()).find((one) => one.id === living);
    assert.equal(running?.containers[0]?.status, 'running');
    const count = () => world.output(living).trim().split('\n').length;
    const before = count();
    await until(() => (count() > before + 5 ? true : undefined));
    const numbers = world.output(living).trim().split('\n').map(Number);
    assert.deepEqual(
      numbers,
      numbers.map((_, index) => index),
    );
    assert.match((await world.exec(living, ['ps'])).stdout, /sh -c/);
    await world.engine.removeSandbox(living);
    await world.engine.removeSandbox(dying);
  });
}
