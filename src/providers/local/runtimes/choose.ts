import { accessSync, constants, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { copyFile, rm } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { errorText, UserError } from '#core/errors.ts';
import { withSystemDirectories } from '#core/system-path.ts';
import type { Host } from '#providers/local/host.ts';
import type { SlotFactory } from '#providers/local/network/slot-factory.ts';
import { bwrapRuntime } from '#providers/local/runtimes/bwrap.ts';
import { namespacesRuntime } from '#providers/local/runtimes/namespaces.ts';
import { ociRuntime } from '#providers/local/runtimes/oci.ts';
import { probeRuntime } from '#providers/local/runtimes/probe.ts';
import type { Runtime, RuntimeName } from '#providers/local/runtimes/runtime.ts';

export interface ChosenRuntime {
  readonly runtime: Runtime;
  /** Why a safer or the wanted one is not used, and how to get it. */
  readonly remarks: readonly string[];
}

interface Candidate {
  readonly runtime: Runtime;
  /** Changes when the verdict may change: the executable's path, size and time. */
  readonly version: string;
}

/**
 * The first runtime, in order of preference, in which a container that does nothing really runs. A wanted one that fails is an error. The verdict is
 * remembered until the executable changes or the machine restarts.
 */
export async function chooseRuntime(host: Host, factory: SlotFactory, wanted: 'auto' | RuntimeName): Promise<ChosenRuntime> {
  const remarks: string[] = [];
  const names: readonly RuntimeName[] = wanted === 'auto' ? preferred(host) : [wanted];
  for (const name of names) {
    const candidates = candidatesOf(host, name);
    if (candidates.length === 0) remarks.push(`${name} is not installed`);
    const problems: string[] = [];
    for (const candidate of candidates) {
      const problem = await verdict(host, factory, candidate);
      if (problem === undefined) return { runtime: candidate.runtime, remarks };
      problems.push(problem);
    }
    if (problems[0] !== undefined) remarks.push(`${name} does not work here: ${problems[0]}`);
  }
  throw new UserError(`no container runtime works on this machine: ${remarks.join('; ')}`, remedy(remarks));
}

/** overlayfs takes no directory of another overlayfs to write into: so it is in a container whose data directory is no volume. */
function remedy(remarks: readonly string[]): { readonly hint?: string } {
  if (!remarks.every((remark) => / is not installed$|mount overlay .*EINVAL/.test(remark))) return {};
  return {
    hint: 'The data directory is on an overlay file system, as in a container without a volume: give one elsewhere with --data-dir.',
  };
}

/** docs/decisions: local runtime. In a user namespace the runtimes add nothing the launcher does not do; bwrap nowhere does. */
function preferred(host: Host): readonly RuntimeName[] {
  return host.inUserNamespace ? ['namespaces', 'bwrap'] : ['crun', 'runc', 'namespaces', 'bwrap'];
}

function candidatesOf(host: Host, name: RuntimeName): readonly Candidate[] {
  if (name === 'namespaces') return [{ runtime: namespacesRuntime(host), version: 'own' }];
  const binary = findExecutable(name);
  if (binary === undefined) return [];
  const { size, mtimeMs } = statSync(binary);
  if (name === 'bwrap') return [{ runtime: bwrapRuntime(host, binary), version: [binary, size, mtimeMs].join(' ') }];
  const hidden = name === 'crun' && existsSync('/sys/fs/cgroup/unified') ? [[], ['/sys/fs/cgroup/unified']] : [[]];
  return hidden.map((hiddenMounts) => ({
    runtime: ociRuntime(host, { name, binary, hiddenMounts }),
    version: [binary, size, mtimeMs, ...hiddenMounts].join(' '),
  }));
}

function findExecutable(name: string): string | undefined {
  const directories = withSystemDirectories(process.env.PATH).split(delimiter);
  for (const directory of directories.filter((path) => path.startsWith('/'))) {
    try {
      accessSync(join(directory, name), constants.X_OK);
      return join(directory, name);
    } catch {
      // Not here.
    }
  }
  return undefined;
}

/** Undefined when the runtime works, else why not. */
async function verdict(host: Host, factory: SlotFactory, candidate: Candidate): Promise<string | undefined> {
  const path = join(host.runDir, 'runtimes.json');
  const known = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Record<string, string>) : {};
  const remembered = known[candidate.version];
  if (remembered !== undefined) return remembered === '' ? undefined : remembered;
  const problem = await tryRuntime(host, factory, candidate.runtime);
  writeFileSync(path, JSON.stringify({ ...known, [candidate.version]: problem ?? '' }));
  return problem;
}

async function tryRuntime(host: Host, factory: SlotFactory, runtime: Runtime): Promise<string | undefined> {
  const layer = join(host.runDir, 'probe-layer');
  try {
    mkdirSync(layer, { recursive: true });
    await copyFile(host.launcher.path, join(layer, 'launcher'));
    return await probeRuntime(host, factory, runtime, layer);
  } catch (error) {
    return errorText(error).trim();
  } finally {
    await rm(layer, { recursive: true, force: true });
  }
}
