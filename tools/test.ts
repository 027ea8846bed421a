import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';

const help = `npm test [unit|integration|e2e] [PART OF A PATH ...]

  unit          src/**/*.test.ts, all in one process
  integration   src/**/*.itest.ts, a process per file
  e2e           e2e/*.test.ts, a process per file: each boots the whole platform

Without a suite all three run. Of several parts of a path a file must have all. Ends with "N passed, N failed, N skipped"; what this
machine cannot run is skipped by name, with the reason.`;

const suites = {
  unit: { pattern: 'src/**/*.test.ts', isolation: 'none', concurrency: 1, timeoutMs: 120_000 },
  integration: { pattern: 'src/**/*.itest.ts', isolation: 'process', concurrency: 2, timeoutMs: 180_000 },
  // Three at a time: they wait more than they work.
  e2e: { pattern: 'e2e/**/*.test.ts', isolation: 'process', concurrency: 3, timeoutMs: 600_000 },
} as const;

const words = process.argv.slice(2);
if (words.includes('--help') || words.includes('-h')) {
  console.log(help);
  process.exit();
}
const chosen = words.filter((word): word is keyof typeof suites => word in suites);
const filters = words.filter((word) => !(word in suites));
const total = { files: 0, pass: 0, fail: 0 };
const skips: string[] = [];

for (const name of chosen.length > 0 ? chosen : (Object.keys(suites) as (keyof typeof suites)[])) run(name);
if (total.files === 0) {
  console.log(`no test file has ${filters.join(' and ')} in its path`);
  total.fail = 1;
}
for (const line of skips) console.log(`skipped: ${line}`);
// A suite that is skipped as a whole is one skip here; the runner counts its tests as none.
console.log(`${total.pass} passed, ${total.fail} failed, ${skips.length} skipped`);
process.exitCode = total.fail === 0 ? 0 : 1;

function run(name: keyof typeof suites): void {
  const { pattern, isolation, concurrency, timeoutMs } = suites[name];
  const files = globSync(pattern)
    .filter((file) => filters.every((filter) => file.includes(filter)))
    .toSorted();
  if (files.length === 0) return;
  total.files += files.length;
  console.log(`\n${name}: ${files.length} files`);
  const args = ['--test', `--test-isolation=${isolation}`, `--test-timeout=${timeoutMs}`, '--test-reporter=tap'];
  if (isolation === 'process') args.push(`--test-concurrency=${concurrency}`);
  const result = spawnSync(process.execPath, [...args, ...files], {
    encoding: 'utf8',
    maxBuffer: 256 * 2 ** 20,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  report(result.stdout);
  const counts = Object.fromEntries([...result.stdout.matchAll(/^# (pass|fail|cancelled) (\d+)$/gm)].map(([, key, n]) => [key, Number(n)]));
  total.pass += counts.pass ?? 0;
  const failures = (counts.fail ?? 0) + (counts.cancelled ?? 0);
  // The exit code is trusted over the counts: a late throw can fail a run that counted no failure.
  total.fail += failures === 0 && result.status !== 0 ? 1 : failures;
}

/** Prints each failed test with its detail (not the suites around it), a line of counts, and collects skip reasons. */
function report(tap: string): void {
  const lines = tap.split('\n');
  for (const [index, line] of lines.entries()) {
    const skip = /^\s*ok \d+ - (.*) # SKIP ?(.*)$/.exec(line);
    if (skip !== null) skips.push(`${skip[1]}: ${skip[2]}`);
    if (!/^\s*not ok /.test(line)) continue;
    const end = lines.findIndex((other, at) => at > index && other.trim() === '...');
    const detail = lines.slice(index, end < 0 ? index + 40 : end + 1);
    if (!detail.some((one) => one.includes("failureType: 'subtestsFailed'"))) console.log(detail.slice(0, 60).join('\n'));
  }
  console.log(lines.filter((line) => /^# (tests|pass|fail|skipped|duration_ms)/.test(line)).join('  '));
}
