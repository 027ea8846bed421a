import { spawnSync } from 'node:child_process';
import { checkBudgets } from './check-budgets.ts';
import { checkLayers } from './check-layers.ts';
import { checkLicences } from './check-licences.ts';
import { checkUnused } from './check-unused.ts';

/** `npm run check`: types, lint, format, layers, budgets, unused code, licences. Every step runs; the exit code says whether all passed. */
const steps: readonly (readonly [string, () => readonly string[]])[] = [
  ['types', () => command('tsc', ['-p', 'tsconfig.json'])],
  ['lint', () => command('oxlint', ['--type-aware', '--quiet'])],
  ['format', () => command('oxfmt', ['--check'])],
  ['layers', checkLayers],
  ['budgets', checkBudgets],
  ['unused', checkUnused],
  ['licences', checkLicences],
];

let failed = 0;
for (const [name, step] of steps) {
  const problems = step();
  console.log(`${problems.length === 0 ? 'ok  ' : 'FAIL'} ${name}`);
  for (const problem of problems) console.log(`     ${problem}`);
  if (problems.length > 0) failed += 1;
}
console.log(`check: ${steps.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

function command(name: string, args: readonly string[]): readonly string[] {
  const result = spawnSync(`node_modules/.bin/${name}`, args, { encoding: 'utf8', maxBuffer: 64 * 2 ** 20 });
  if (result.status === 0) return [];
  return `${result.stdout}${result.stderr}${result.error?.message ?? ''}`.trimEnd().split('\n').slice(0, 200);
}
