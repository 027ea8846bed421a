import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { limitFiles } from '#providers/local/cgroups/limits.ts';
import { parseExitRecord } from '#providers/local/container/files.ts';
import { resolveIdentity } from '#providers/local/container/identity.ts';
import { capabilityMask, containerCapabilities } from '#providers/local/container/privileges.ts';
import { AddressPool, choosePodCidr, parseIp, parseRoutes, podCidr } from '#providers/local/network/cidr.ts';
import { remedy } from '#providers/local/rootless/enter.ts';
import { parseSubordinateIds } from '#providers/local/rootless/subordinate-ids.ts';
import { defaultFilter } from '#providers/local/seccomp/filter.ts';
import { LogFile } from '#providers/local/streams/log-file.ts';

describe('pod addresses', () => {
  test('a network that a route overlaps is not chosen; the choice of an id is stable', () => {
    const first = choosePodCidr('some id', []);
    assert.deepEqual(choosePodCidr('some id', []), first);
    const second = choosePodCidr('some id', [{ base: first.base + 4096, prefixLength: 24 }]);
    assert.notEqual(second.cidr, first.cidr);
    assert.throws(() => choosePodCidr('x', [{ base: parseIp('10.0.0.0'), prefixLength: 8 }]), /no free network/);
  });

  test('routes are read from the kernel’s table, the default route and our own left out', () => {
    const table =
      'Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\neth0\t00000000\t010200C0\t3\t0\t0\t0\t00000000\neth0\t000200C0\t0\t1\t0\t0\t0\t00FFFFFF\ndm1\t0000400A\t0\t1\t0\t0\t0\t0000FFFF\n';
    assert.deepEqual(parseRoutes(table, 'dm1'), [{ base: parseIp('192.0.2.0'), prefixLength: 24 }]);
  });

  test('addresses are not given twice, come back last, and run out with an error', () => {
    const pool = new AddressPool(podCidr(parseIp('10.70.0.0'), 29), ['10.70.0.3']);
    const [a, b, c] = [pool.take(), pool.take(), pool.take()];
    assert.deepEqual([a, b, c], ['10.70.0.4', '10.70.0.5', '10.70.0.6']);
    pool.release('10.70.0.5');
    assert.equal(pool.take(), '10.70.0.2');
    assert.equal(pool.take(), '10.70.0.5');
    assert.throws(() => pool.take(), /no free pod address/);
  });
});

describe('limits and privileges', () => {
  test('resources become the kubelet’s numbers', () => {
    const files = (version: 1 | 2) =>
      Object.fromEntries(
        limitFiles(version, { cpuRequestMillis: 500, cpuLimitMillis: 250, memoryLimitBytes: 1024 }).map((one) => [one.file, one.value]),
      );
    assert.equal(files(1)['cpu.shares'], '512');
    assert.equal(files(1)['cpu.cfs_quota_us'], '25000');
    assert.equal(files(1)['pids.max'], 'max');
    assert.equal(files(2)['cpu.weight'], '20');
    assert.equal(files(2)['cpu.max'], '25000 100000');
    assert.equal(files(2)['memory.max'], '1024');
  });

  test('capabilities: defaults, drop ALL, add, privileged, never more than we have', () => {
    const security = { privileged: false, addCapabilities: [] as string[], dropCapabilities: [] as string[] };
    const of = (changes: object, available = (1n << 41n) - 1n) => containerCapabilities({ ...security, ...changes } as never, available);
    assert.equal(capabilityMask(of({})), 0xa80425fbn);
    assert.deepEqual(of({ dropCapabilities: ['ALL'], addCapabilities: ['CAP_NET_ADMIN', 'bogus'] }), ['NET_ADMIN']);
    assert.equal(of({ privileged: true }).length, 41);
    assert.deepEqual(of({ addCapabilities: ['ALL'] }, 1n), ['CHOWN']);
  });

  test('the filter’s jumps stay inside it, for both architectures', () => {
    for (const architecture of ['x64', 'arm64'] as const) {
      const filter = defaultFilter(architecture, []);
      const count = filter.length / 8;
      for (let index = 0; index < count; index++) {
        const [code, yes, no] = [filter.readUInt16LE(index * 8), filter.readUInt8(index * 8 + 2), filter.readUInt8(index * 8 + 3)];
        if ((code & 7) === 5) assert.ok(index + 1 + Math.max(yes, no) < count);
      }
      assert.equal(filter.readUInt32LE((count - 1) * 8 + 4), 0x7fff_0000);
      assert.ok(defaultFilter(architecture, ['SYS_ADMIN']).length < filter.length);
    }
  });

  test('a user’s ids: whiteouts hide, the top layer wins', () => {
    const directory = mkdtempSync(join(tmpdir(), 'dm-id-'));
    const layer = (name: string, passwd: string) => {
      mkdirSync(join(directory, name, 'etc'), { recursive: true });
      writeFileSync(join(directory, name, 'etc/passwd'), passwd);
      return join(directory, name);
    };
    try {
      const layers = [layer('top', 'u:x:7:8::/h:/bin/sh\n'), layer('base', 'u:x:1:1::/:/\nold:x:2:2::/:/\n')];
      assert.deepEqual(resolveIdentity({ supplementalGroups: [], fromImage: 'u' }, layers), { uid: 7, gid: 8, groups: [8], home: '/h' });
      assert.throws(() => resolveIdentity({ supplementalGroups: [], fromImage: 'old' }, layers), /unable to find user old/);
      assert.equal(resolveIdentity({ supplementalGroups: [], fromImage: '' }, layers).uid, 0);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

describe('records', () => {
  test('a wait status is read as code or signal', () => {
    const record = (status: number) => {
      const content = Buffer.alloc(24);
      content.writeInt32LE(status);
      content.writeBigInt64LE(1_700_000_000n, 8);
      return parseExitRecord(content);
    };
    assert.deepEqual(record(3 << 8), { exitCode: 3, finishedAtMs: 1_700_000_000_000 });
    assert.deepEqual(record(9), { exitCode: 137, signal: 9, finishedAtMs: 1_700_000_000_000 });
    assert.equal(record(143 << 8).signal, 15);
    assert.equal(record(255 << 8).signal, undefined);
  });

  test('a full log is rotated and the oldest file goes', () => {
    const directory = mkdtempSync(join(tmpdir(), 'dm-log-'));
    try {
      const path = join(directory, '0.log');
      const log = new LogFile(path, () => 0, { maxBytes: 100, maxFiles: 3 });
      for (let number = 0; number < 8; number++) log.append('stdout', Buffer.from(`line ${number} with some text\n`));
      log.close();
      const texts = [path, `${path}.1`, `${path}.2`].map((file) => readFileSync(file, 'utf8'));
      assert.match(texts[0] ?? '', /line 7/);
      assert.match(texts[1] ?? '', /line 6/);
      assert.throws(() => readFileSync(`${path}.3`));
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  test('subordinate ids by name or number; remedies by what forbids', () => {
    assert.deepEqual(parseSubordinateIds('a:1:2\nme:100000:65536\n', 'me', 5), { first: 100_000, count: 65_536 });
    assert.deepEqual(parseSubordinateIds('5:7:9', 'me', 5), { first: 7, count: 9 });
    assert.equal(parseSubordinateIds('other:1:2', 'me', 5), undefined);
    assert.match(
      remedy((path) => (path.endsWith('unprivileged_userns_clone') ? '0\n' : '')),
      /unprivileged_userns_clone=1/,
    );
    assert.match(
      remedy((path) => (path.endsWith('apparmor_restrict_unprivileged_userns') ? '1' : '')),
      /AppArmor/,
    );
  });
});
