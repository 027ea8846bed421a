import { globSync, readFileSync } from 'node:fs';

const maxFileLines = 500;
const maxFunctionLines = 80;
const maxDependencies = 20;

/**
 * Size budgets of the house style. A file lifts its own with a reason: `// budget: <why>` in its first ten lines.
 * A function's length is read off its indentation (the formatter guarantees it), not off a parse.
 */
export function checkBudgets(): string[] {
  const problems: string[] = [];
  const { dependencies = {} } = JSON.parse(readFileSync('package.json', 'utf8')) as { dependencies?: Record<string, string> };
  const count = Object.keys(dependencies).length;
  if (count > maxDependencies) problems.push(`package.json: ${count} runtime dependencies, at most ${maxDependencies}`);
  for (const file of globSync('{src,tools,e2e,bench}/**/*.ts')) {
    const lines = readFileSync(file, 'utf8').split('\n');
    if (lines.slice(0, 10).some((line) => line.includes('// budget: '))) continue;
    if (lines.length > maxFileLines) problems.push(`${file}: ${lines.length} lines, at most ${maxFileLines}`);
    if (!file.endsWith('.test.ts')) problems.push(...longFunctions(file, lines));
  }
  return problems;
}

const opening =
  /^(\s*)(?:export )?(?:async )?(?:function\b.*|(?:private |static |override |async |get |set )*[#\w]+\(.*\).*|const \w+ = (?:async )?\(.*\) .*=>) ?\{$/;

function longFunctions(file: string, lines: readonly string[]): string[] {
  const problems: string[] = [];
  for (const [index, line] of lines.entries()) {
    const match = opening.exec(line);
    if (match === null || /^\s*(?:if|for|while|switch|catch|describe|test)\b/.test(line)) continue;
    const end = lines.findIndex((other, at) => at > index && other.startsWith(`${match[1] ?? ''}}`));
    if (end - index > maxFunctionLines)
      problems.push(`${file}:${index + 1}: function of ${end - index} lines, at most ${maxFunctionLines}`);
  }
  return problems;
}
