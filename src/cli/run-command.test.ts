import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { notFound, StatusError } from '#apis/meta/status.ts';
import { ImageError } from '#apis/runtime/image-service.ts';
import { UserError } from '#core/errors.ts';
import type { Command, Invocation } from '#cli/command.ts';
import { rootCommand } from '#cli/root.ts';
import { runWords } from '#cli/testing.ts';

function tableWith(run: (invocation: Invocation) => Promise<number | void>): Command {
  return {
    name: 'prog',
    summary: 'A program',
    commands: [
      {
        name: 'make',
        aliases: ['mk'],
        summary: 'Make things',
        positionals: [
          { name: 'thing', summary: 'What to make' },
          { name: 'more', summary: 'More', rest: true },
        ],
        options: [
          { name: 'form', short: 'f', type: 'string', choices: ['round', 'square'], default: 'round', summary: 'Form' },
          { name: 'label', type: 'string', multiple: true, summary: 'Label' },
        ],
        examples: ['prog make cake'],
        run,
      },
      { name: 'secret', summary: 'Not shown', hidden: true, run },
    ],
  };
}

const fails = tableWith(() => Promise.reject(new UserError('no flour', { hint: 'Buy some.' })));

describe('a command line', () => {
  test('options, defaults and arguments reach the command, also by an alias', async () => {
    const seen: Invocation[] = [];
    const table = tableWith((invocation) => Promise.resolve(void seen.push(invocation)));
    assert.equal((await runWords(table, ['mk', 'cake', '--label', 'a', '--label=b', 'tea'])).code, 0);
    assert.deepEqual({ ...seen[0]?.options }, { form: 'round', label: ['a', 'b'] });
    assert.deepEqual(seen[0]?.positionals, ['cake', 'tea']);
  });

  test("the command's number is the exit code", async () => {
    assert.equal(
      (
        await runWords(
          tableWith(() => Promise.resolve(3)),
          ['make', 'cake'],
        )
      ).code,
      3,
    );
  });

  for (const [words, text] of [
    [['mak'], 'prog: unknown command "mak"\n  Did you mean "prog make"?\n'],
    [['amke'], 'prog: unknown command "amke"\n  Did you mean "prog make"?\n'],
    [['roast'], 'prog: unknown command "roast"\n  Commands: make\n'],
    [['make'], 'prog make: missing argument THING: What to make\n  Usage: prog make THING [MORE…] [options]\n'],
    [['help', 'mak'], 'prog: unknown command "mak"\n  Did you mean "prog make"?\n'],
    [['--colour'], `prog: Unknown option '--colour'\n  See "prog --help".\n`],
    [['make', 'cake', '-f', 'flat'], 'prog make: --form: "flat" is not one of round, square\n'],
    [['make', 'cake', '--colour'], `prog make: Unknown option '--colour'\n  See "prog make --help".\n`],
    [['secret', 'word'], 'prog secret: unexpected argument "word"\n  Usage: prog secret\n'],
    [['make', 'cake'], 'prog make: no flour\n  Buy some.\n'],
  ] as const) {
    test(`"${words.join(' ')}" exits 1 and says why`, async () => {
      assert.deepEqual(await runWords(fails, words), { code: 1, stdout: '', stderr: text });
    });
  }

  for (const [error, text] of [
    [new StatusError('NotFound', 'things "cake" not found'), 'things "cake" not found\n'],
    [
      notFound('serving.knative.dev', 'services', 'cake'),
      'services.serving.knative.dev "cake" not found\n  See which there are: dormouse services --all-namespaces\n',
    ],
    [notFound('', 'namespaces', 'oven'), 'namespaces "oven" not found\n  Make it first: kubectl create namespace oven\n'],
    [new ImageError('ErrImagePull', 'no such host', new Error('dns')), 'no such host\n'],
  ] as const) {
    test(`a refusal (${error.message}) exits 1 with its message and what to do`, async () => {
      const refused = tableWith(() => Promise.reject(error));
      assert.deepEqual(await runWords(refused, ['make', 'cake']), { code: 1, stdout: '', stderr: `prog make: ${text}` });
    });
  }

  test('a file that cannot be used is the mistake of who named it', async () => {
    const error = Object.assign(new Error('ENOENT: no such file or directory'), { code: 'ENOENT', path: '/flour' });
    const result = await runWords(
      tableWith(() => Promise.reject(error)),
      ['make', 'cake'],
    );
    assert.deepEqual(result, { code: 1, stdout: '', stderr: 'prog make: /flour: there is no such file or directory\n' });
  });

  test('a fault of the program exits 70 with its stack', async () => {
    const result = await runWords(
      tableWith(() => Promise.reject(new TypeError('broken'))),
      ['make', 'cake'],
    );
    assert.equal(result.code, 70);
    assert.match(result.stderr, /TypeError: broken\n {4}at /);
  });

  test('an interrupted command exits 130 without a word', async () => {
    assert.deepEqual(await runWords(fails, ['make', 'cake'], AbortSignal.abort()), { code: 130, stdout: '', stderr: '' });
  });
});

describe('help', () => {
  test('is given for "help make" as for "make --help"', async () => {
    assert.deepEqual(await runWords(fails, ['help', 'make']), await runWords(fails, ['make', '--help']));
    assert.deepEqual(await runWords(fails, ['help']), await runWords(fails, ['--help']));
  });

  test('says usage, arguments, options with their defaults, and examples', async () => {
    const { code, stdout } = await runWords(fails, ['make', '--help']);
    assert.equal(code, 0);
    assert.match(stdout, /^Make things\n\nUsage:\n {2}prog make THING \[MORE…\] \[options\]\n/);
    assert.match(stdout, /-f, --form round\|square {2}Form \(default round\)\n/);
    assert.match(stdout, /Examples:\n {2}prog make cake\n$/);
  });

  test('of a group lists what is not hidden; the group alone is no command', async () => {
    const { code, stdout } = await runWords(fails, []);
    assert.equal(code, 0);
    assert.match(stdout, /Commands:\n {2}make {2}Make things\n/);
    assert.doesNotMatch(stdout, /secret/);
  });
});

describe('the command table', () => {
  test('has a run or commands everywhere, unique names, and no option twice', () => {
    const check = (command: Command, path: string): void => {
      assert.notEqual(command.run === undefined, command.commands === undefined, path);
      const names = (command.commands ?? []).flatMap(({ name, aliases = [] }) => [name, ...aliases]);
      assert.equal(new Set(names).size, names.length, path);
      const flags = (command.options ?? []).flatMap(({ name, short }) => [name, ...(short === undefined ? [] : [short])]);
      assert.equal(new Set([...flags, 'help', 'h']).size, flags.length + 2, `${path}: ${flags.join(' ')}`);
      for (const one of command.commands ?? []) check(one, `${path} ${one.name}`);
    };
    check(rootCommand, rootCommand.name);
  });
});
