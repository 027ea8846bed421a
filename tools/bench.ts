import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';

/** `npm run bench [NAME …]`: runs the programs under bench/ whose path contains a name; without one it lists them. */
const names = process.argv.slice(2);
const programs = globSync('bench/**/*.ts')
  .filter((file) => !/\/(?:lib|support)\/|\.test\.ts$/.test(file))
  .toSorted();
if (names.length === 0) {
  console.log(`Give a part of a name to run it, for example "npm run bench gateway":\n${programs.map((file) => `  ${file}`).join('\n')}`);
} else {
  for (const program of programs.filter((file) => names.some((name) => file.includes(name)))) {
    console.log(`\n== ${program}`);
    const { status } = spawnSync(process.execPath, [program], { stdio: 'inherit' });
    if (status !== 0) process.exitCode = 1;
  }
}
