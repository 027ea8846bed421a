import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { build } from 'esbuild';

/**
 * `npm run package`: bundles the program (Node strips no types under node_modules), and packs a tarball that installs globally
 * into an empty prefix and runs on Node 20 or 24. Prints the tarball's name and size.
 */
const stage = '.cache/package';

rmSync(stage, { recursive: true, force: true });
mkdirSync(stage, { recursive: true });
await build({
  entryPoints: {
    dormouse: 'src/cli/main.ts',
    'process-control': 'src/platform/control/main.ts',
    'process-gateway': 'src/platform/gateway/main.ts',
    'process-node': 'src/platform/node/main.ts',
    'sqlite-thread': 'src/storage/sqlite-thread.ts',
  },
  outdir: `${stage}/dist`,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  packages: 'external',
  sourcemap: 'linked',
  sourcesContent: false,
  legalComments: 'none',
  logLevel: 'warning',
});
for (const path of ['bin', 'examples', 'README.md', 'LICENSE', 'CHANGELOG.md']) cpSync(path, `${stage}/${path}`, { recursive: true });
const {
  devDependencies: _dev,
  scripts: _scripts,
  imports: _imports,
  ...manifest
} = JSON.parse(readFileSync('package.json', 'utf8')) as Record<string, unknown>;
writeFileSync(`${stage}/package.json`, `${JSON.stringify({ ...manifest, files: ['bin', 'dist', 'examples'] }, null, 2)}\n`);
const packed = spawnSync('npm', ['pack', '--silent', '--pack-destination', process.cwd()], { cwd: stage, encoding: 'utf8' });
if (packed.status !== 0) throw new Error(packed.stderr);
const name = packed.stdout.trim().split('\n').at(-1) ?? '';
console.log(`${name}  ${(statSync(name).size / 1e6).toFixed(2)} MB`);
