import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startPlatform, TestPlatform } from './support/platform.ts';
import { mustRun, run, until } from './support/run.ts';
import { tracesOf } from './support/traces.ts';

/** A platform's life on a machine: beside another one, stopped, backed up, restored, upgraded, out of space, deleted. */

const source = fileURLToPath(new URL('../examples/helloworld-nodejs', import.meta.url));
const isRoot = process.getuid?.() === 0;

function call(platform: TestPlatform): Promise<string> {
  return mustRun('curl', ['--silent', '--show-error', '-H', 'Host: hello.default.localhost', platform.gatewayUrl]);
}

function deploy(platform: TestPlatform, target: string): Promise<string> {
  return platform.dormouse(['deploy', '--source', source, '--name=hello', '--min=1', `--env=TARGET=${target}`]);
}

describe('a platform on a machine', () => {
  let one: TestPlatform;
  let two: TestPlatform;
  let directory = '';
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'dormouse-life-'));
    [one, two] = await Promise.all([startPlatform(), startPlatform()]);
  });
  after(async () => {
    await Promise.all([one[Symbol.asyncDispose](), two[Symbol.asyncDispose]()]);
    await rm(directory, { recursive: true, force: true });
  });

  test('two run side by side: the same name on each is another service', async () => {
    await deploy(one, 'one');
    await deploy(two, 'two');
    assert.deepEqual([await call(one), await call(two)], ['Hello one!\n', 'Hello two!\n']);
  });

  test('a second one on the same data is refused, also from another session', async () => {
    for (const words of [['up'], ['up', '--detach']]) {
      const { code, stderr } = await one.tryDormouse(words, { env: { XDG_RUNTIME_DIR: one.dataDir } });
      assert.equal(code, 1);
      assert.match(stderr, /a platform is already running on .*\n {2}See it with "dormouse status"/);
    }
  });

  test('down leaves no process, mount, link, control group or table of it, and the other one alone', async () => {
    const during = await tracesOf(one.dataDir);
    assert.ok(during.processes.length >= 4, 'supervisor and its three processes');
    assert.equal(during.runDirectory.length, 1);
    if (isRoot) for (const kind of ['links', 'cgroups'] as const) assert.notEqual(during[kind].length, 0, `${kind} while it runs`);
    await one.down();
    const nothing = { processes: [], mounts: [], links: [], cgroups: [], tables: [], runDirectory: [] };
    assert.deepEqual(await until('the command that was asked has ended too', () => ended(one.dataDir)), nothing);
    assert.equal(await call(two), 'Hello two!\n');
  });

  test('a backup restored elsewhere, with the registry on another port, finds its images and serves', async () => {
    const file = join(directory, 'backup.tar');
    assert.match(await one.dormouse(['backup', file, '--images']), /keep it safe/);
    const restored = new TestPlatform(join(directory, 'restored'), {});
    try {
      await restored.dormouse(['restore', file]);
      const ports = await readFile(join(restored.dataDir, 'ports.json'), 'utf8');
      await restored.up();
      assert.notEqual(restored.port('registry'), (JSON.parse(ports) as { registryPort: number }).registryPort);
      await until('hello of the backup', async () => ((await call(restored)) === 'Hello one!\n' ? true : undefined));
      const again = await restored.tryDormouse(['restore', file]);
      assert.match(again.stderr, /a platform is running on/);
    } finally {
      await restored[Symbol.asyncDispose]();
    }
  });

  test('started again it has what it had; an older format is taken over, a newer or unknown one refused', async () => {
    const version = join(one.dataDir, 'version');
    const present = await readFile(version, 'utf8');
    for (const [content, text] of [
      ['99', /was written by a newer dormouse \(format 99, this one knows \d+\)\n.*another --data-dir/],
      ['x', /does not name a format of a data directory: "x"/],
    ] as const) {
      await writeFile(version, content);
      const { code, stderr } = await one.tryDormouse(['up', '--detach']);
      assert.deepEqual([code, text.test(stderr) ? '' : stderr], [1, '']);
    }
    await writeFile(version, '0\n');
    await one.up();
    assert.equal(await readFile(version, 'utf8'), present);
    await until('hello from before', async () => ((await call(one)) === 'Hello one!\n' ? true : undefined));
  });

  test('reset asks where there is a terminal, else wants --yes; then no file is left', async () => {
    const { code, stderr } = await one.tryDormouse(['reset']);
    assert.equal(code, 1);
    assert.match(stderr, /reset needs a confirmation\n {2}Give --yes/);
    assert.equal(await call(one), 'Hello one!\n');
    await one.dormouse(['reset', '--yes']);
    assert.equal(existsSync(one.dataDir), false);
    const { processes, mounts, runDirectory } = await until('its end', () => ended(one.dataDir));
    assert.deepEqual([processes, mounts, runDirectory], [[], [], []]);
    const other = join(directory, 'photos');
    await mkdir(other);
    const refused = await new TestPlatform(other, {}).tryDormouse(['reset', '--yes']);
    assert.match(refused.stderr, /does not look like a platform's data directory/);
    assert.ok(existsSync(other));
  });
});

/** The traces once the processes of the platform are gone: the supervisor answers `down` before it ends itself. */
async function ended(dataDir: string) {
  const traces = await tracesOf(dataDir);
  return traces.processes.length === 0 ? traces : undefined;
}

const noMount = isRoot ? false : 'a small disk needs root to be mounted';

describe('a full disk', { skip: noMount }, () => {
  let mountPoint = '';
  let platform: TestPlatform;
  before(async () => {
    mountPoint = await mkdtemp(join(tmpdir(), 'dormouse-disk-'));
    await mustRun('mount', ['-t', 'tmpfs', '-o', 'size=450m', 'none', mountPoint]);
    platform = new TestPlatform(join(mountPoint, 'data'), {});
    await platform.up();
    await deploy(platform, 'small disk');
  });
  after(async () => {
    await platform[Symbol.asyncDispose]();
    await run('umount', [mountPoint]);
    await rm(mountPoint, { recursive: true, force: true });
  });

  const filler = () => join(dirname(platform.dataDir), 'filler');
  const fill = async () => {
    const { bavail, bsize } = await statfs(mountPoint);
    // The platform writes at the same time: whoever comes last finds the disk full.
    await writeFile(filler(), Buffer.alloc(bavail * bsize)).catch((error: NodeJS.ErrnoException) => assert.equal(error.code, 'ENOSPC'));
  };

  test('refuses changes with what to do, goes on serving, and takes changes again when there is space', async () => {
    await fill();
    for (const words of [
      ['deploy', '--image=gcr.io/x/y', '--name=more'],
      ['deploy', '--source', fileURLToPath(new URL('../examples/timezone', import.meta.url))],
    ]) {
      const { code, stderr } = await platform.tryDormouse(words);
      assert.equal(code, 1);
      assert.match(stderr, /no space left[^]*Free some space and try again/);
    }
    assert.equal(await call(platform), 'Hello small disk!\n');
    assert.match(await platform.dormouse(['status']), /Note: only 0\.0 MB are free on the disk/);
    await rm(filler());
    await deploy(platform, 'space again');
    assert.equal(await call(platform), 'Hello space again!\n');
  });

  test('lets a platform stop, not start, and start when there is space', async () => {
    await fill();
    await platform.down();
    const { code, stderr } = await platform.tryDormouse(['up', '--detach']);
    assert.equal(code, 1);
    assert.match(stderr, /no space left on the disk of .* \(0\.0 MB free\)\n {2}Free some space/);
    await rm(filler());
    await platform.up();
    await until('hello', async () => ((await call(platform)) === 'Hello space again!\n' ? true : undefined));
  });
});
