import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram, mustRun } from './run.ts';

/** Why this machine cannot give a test a network of its own; undefined where it can. */
export function withoutOwnNetwork(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root';
  const missing = ['ip', 'nsenter'].find((program) => findProgram(program) === undefined);
  return missing === undefined ? undefined : `${missing} is not installed`;
}

let made = 0;

/**
 * A network namespace of its own with nothing but loopback: every port is free in it, 80 too. Programs enter it by `nsenter`,
 * because `ip netns exec` would remount /sys and hide the control groups.
 */
export class OwnNetwork implements AsyncDisposable {
  readonly #name: string;
  readonly #directory: string;
  readonly #resolvConf: string | undefined;

  private constructor(name: string, directory: string, resolvConf: string | undefined) {
    this.#name = name;
    this.#directory = directory;
    this.#resolvConf = resolvConf;
  }

  /** `address`: of a machine beside loopback, e.g. 198.51.100.1. `nameserver`: what /etc/resolv.conf says to programs inside. */
  static async create({ address, nameserver }: { address?: string; nameserver?: string } = {}): Promise<OwnNetwork> {
    made += 1;
    const name = `dormouse-e2e-${process.pid}-${made}`;
    const directory = await mkdtemp(join(tmpdir(), 'dormouse-network-'));
    const resolvConf = nameserver === undefined ? undefined : join(directory, 'resolv.conf');
    if (resolvConf !== undefined) await writeFile(resolvConf, `nameserver ${nameserver}\n`);
    await mustRun('ip', ['netns', 'add', name]);
    const network = new OwnNetwork(name, directory, resolvConf);
    const ip = (...args: string[]) => mustRun(...network.inside('ip', args));
    await ip('link', 'set', 'lo', 'up');
    if (address !== undefined) {
      await ip('link', 'add', 'outside', 'type', 'bridge');
      await ip('address', 'add', `${address}/24`, 'dev', 'outside');
      await ip('link', 'set', 'outside', 'up');
    }
    return network;
  }

  /** Program and arguments that run the given ones inside. */
  inside(program: string, args: readonly string[]): [program: string, args: string[]] {
    const command = [program, ...args];
    const resolving = ['unshare', '--mount', 'sh', '-c', 'mount --bind "$0" /etc/resolv.conf && exec "$@"', this.#resolvConf ?? ''];
    return ['nsenter', [`--net=/run/netns/${this.#name}`, ...(this.#resolvConf === undefined ? command : [...resolving, ...command])]];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await mustRun('ip', ['netns', 'delete', this.#name]);
    await rm(this.#directory, { recursive: true, force: true });
  }
}
