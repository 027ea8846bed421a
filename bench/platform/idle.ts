import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { installPackage, run } from '../support/package.ts';

/**
 * What a platform costs that has nothing to do: sizes of the package, memory (PSS) of each process after the quickstart, and
 * processor time over a minute, from the checkout and from the installed package. `node bench/platform/idle.ts [seconds]`.
 */
const seconds = Number(process.argv[2] ?? 60);
const aims = { megabytes: 250, processorPercent: 1 };
/** Of a second, as /proc counts processor time; the same on every Linux Node runs on. */
const ticksPerSecond = 100;

interface Status {
  readonly pid: number;
  readonly processes: readonly { readonly role: string; readonly pid: number }[];
}

const work = mkdtempSync(join(tmpdir(), 'dormouse-idle-'));
try {
  const checkout = join(import.meta.dirname, '..', '..', 'bin', 'dormouse.js');
  await measure('from the checkout', checkout);
  await measure('installed package', install());
} finally {
  rmSync(work, { recursive: true, force: true });
}

function install(): string {
  const prefix = join(work, 'prefix');
  const { tarball, program } = installPackage(prefix);
  console.log(`package: ${megabytes(statSync(tarball).size)} to download, ${megabytes(sizeOf(prefix))} installed with its own Node\n`);
  return program;
}

async function measure(title: string, program: string): Promise<void> {
  const dataDir = join(work, title.replaceAll(' ', '-'));
  mkdirSync(dataDir);
  const dormouse = (...words: readonly string[]) => run(process.execPath, [program, ...words, `--data-dir=${dataDir}`]);
  const took = /Start the platform in the background +(\S+ \S+)/.exec(dormouse('quickstart'))?.[1] ?? '?';
  try {
    // The quickstart's last call has woken a pod: idle is when it sleeps again.
    await delay(12_000);
    const { pid, processes } = JSON.parse(dormouse('status', '-o', 'json')) as Status;
    const all = [{ role: 'supervisor', pid }, ...processes];
    const before = all.map((one) => processorMs(one.pid));
    const memory = all.map((one) => pssBytes(one.pid));
    await delay(seconds * 1000);
    const percents = all.map((one, index) => (processorMs(one.pid) - (before[index] ?? 0)) / (seconds * 10));
    console.log(`${title}: ready in ${took}; ${seconds} s with nothing to do`);
    for (const [index, { role }] of all.entries()) console.log(row(role, memory[index] ?? 0, percents[index] ?? 0));
    console.log(`${row('together', sum(memory), sum(percents))}   (aims: ${aims.megabytes} MB, ${aims.processorPercent} %)\n`);
  } finally {
    dormouse('down');
  }
}

function row(name: string, bytes: number, percent: number): string {
  return `  ${name.padEnd(12)}${megabytes(bytes).padStart(10)} PSS ${percent.toFixed(2).padStart(7)} % of a processor`;
}

/** Proportional set size: memory shared between processes is counted once among them (proc(5), smaps_rollup). */
function pssBytes(pid: number): number {
  return Number(/^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0) * 1024;
}

function processorMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / ticksPerSecond;
}

function sizeOf(path: string): number {
  return readdirSync(path, { withFileTypes: true }).reduce((total, entry) => {
    const one = join(path, entry.name);
    return total + (entry.isDirectory() ? sizeOf(one) : entry.isFile() ? statSync(one).size : 0);
  }, 0);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 2 : 1)} MB`;
}
