import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { launcherExecutable } from '#providers/local/machine/elf.ts';
import { arm64Listing, assembled, assemblySource, x64Listing } from '#providers/local/machine/interpreter.ts';
import { baseAddress, load, Program } from '#providers/local/machine/program.ts';

const assemblers = [
  { name: 'x64', listing: x64Listing, command: 'x86_64-linux-gnu-as', native: 'as', head: '.intel_syntax noprefix\n' },
  { name: 'arm64', listing: arm64Listing, command: 'aarch64-linux-gnu-as', native: process.arch === 'arm64' ? 'as' : '', head: '' },
] as const;

describe('the launcher', () => {
  for (const { name, listing, command, native, head } of assemblers) {
    const tool = [command, name === 'x64' && process.arch !== 'x64' ? '' : native].find(
      (one) => one !== '' && spawnSync(one, ['--version']).status === 0,
    );
    test(`the ${name} bytes are what an assembler makes of the listing`, { skip: tool === undefined && 'no assembler installed' }, () => {
      const directory = mkdtempSync(join(tmpdir(), 'dm-as-'));
      try {
        writeFileSync(join(directory, 'a.s'), `${head}${assemblySource(listing)}\n`);
        execFileSync(tool ?? '', [join(directory, 'a.s'), '-o', join(directory, 'a.o')]);
        execFileSync(tool?.replace(/as$/, 'objcopy') ?? '', [
          '-O',
          'binary',
          '-j',
          '.text',
          join(directory, 'a.o'),
          join(directory, 'a.bin'),
        ]);
        assert.deepEqual(readFileSync(join(directory, 'a.bin')), assembled(listing));
      } finally {
        rmSync(directory, { recursive: true });
      }
    });
  }

  test('is a small static executable for its machine', () => {
    const [x64, arm64] = [launcherExecutable('x64'), launcherExecutable('arm64')];
    for (const file of [x64, arm64]) {
      assert.equal(file.subarray(0, 4).toString('latin1'), '\x7fELF');
      assert.ok(file.length < 1024);
    }
    assert.equal(x64.readUInt16LE(18), 62);
    assert.equal(arm64.readUInt16LE(18), 183);
  });
});

describe('a program', () => {
  test('puts records behind the data and names the first in its header', () => {
    const program = new Program('x64');
    const text = program.text('hello');
    assert.equal(program.text('hello'), text);
    program.call('write', [1, text, 5]);
    program.failureBlock(3);
    const file = program.build();
    const first = file.readUInt32LE(12) - baseAddress;
    assert.equal(file.toString('latin1', text - baseAddress, text - baseAddress + 6), 'hello\0');
    assert.equal(file.readInt32LE(first), 1);
    assert.equal(file.readBigInt64LE(first + 16 + 8), BigInt(text));
  });

  test('refuses a jump to nowhere', () => {
    const program = new Program('x64');
    program.jump(program.label());
    assert.throws(() => program.build(), /has no place/);
  });

  test('explains a failure by step and error number, also one of a nested program', () => {
    const [outer, inner] = [new Program('x64'), new Program('x64')];
    inner.call('chdir', [inner.text('/x')], { what: 'inside' });
    inner.failureBlock(3, true);
    outer.call('chdir', [outer.text('/y')], { what: 'outside' });
    outer.failureBlock(3);
    outer.nested = inner;
    const report = (program: Program, mark: number) => {
      const message = Buffer.alloc(8);
      message.writeUInt32LE(program.build().readUInt32LE(12) + mark);
      message.writeInt32LE(-2, 4);
      return message;
    };
    assert.deepEqual(outer.explain(report(outer, 0)), { what: 'outside', errno: 2 });
    assert.deepEqual(outer.explain(report(inner, 0x1000_0000)), { what: 'inside', errno: 2 });
  });

  const cannotRun = process.platform !== 'linux' || (process.arch !== 'x64' && process.arch !== 'arm64');
  test('runs: forks, waits, compares, adds, jumps', { skip: cannotRun && 'no launcher for this machine' }, () => {
    const architecture = process.arch === 'arm64' ? 'arm64' : 'x64';
    const directory = mkdtempSync(join(tmpdir(), 'dm-run-'));
    try {
      const [launcher, path] = [join(directory, 'launcher'), join(directory, 'program')];
      writeFileSync(launcher, launcherExecutable(architecture), { mode: 0o755 });
      const program = new Program(architecture);
      const [child, status, sum, other] = [program.slot(), program.slot(), program.slot(20), program.slot(42)];
      const [inside, good] = [program.label(), program.label()];
      program.call('clone', [17, 0, 0, 0, 0], { store: child });
      program.jumpIfEqual(child, 0, inside);
      program.call('wait4', [load(child), status, 0, 0]);
      program.add(sum, load(sum), 22);
      program.jumpIfEqual(sum, load(other), good);
      program.exit(1);
      program.place(good);
      const right = program.label();
      program.jumpIfEqual(status, 7 << 8, right);
      program.exit(2);
      program.place(right);
      program.exit(load(sum));
      program.place(inside);
      program.exit(7);
      program.failureBlock(1);
      writeFileSync(path, program.build());
      assert.equal(spawnSync(launcher, [path]).status, 42);
      const again = new Program(architecture);
      again.call('openat', [-100, again.text('/no/such/file'), 0, 0], { what: 'open' });
      again.failureBlock(1);
      writeFileSync(path, again.build());
      const result = spawnSync(launcher, [path]);
      assert.equal(result.status, 126);
      assert.deepEqual(again.explain(result.stdout), { what: 'open', errno: 2 });
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
