import { findProgram, mustRun } from './run.ts';

/** Why this machine cannot give a test a network of its own; undefined where it can. */
export function withoutOwnNetwork(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root';
  const missing = ['ip', 'nsenter'].find((program) => findProgram(program) === undefined);
  return missing === undefined ? undefined : `${missing} is not installed`;
}

/**
 * A network namespace of its own with nothing but loopback: every port is free in it, 80 too. Programs enter it by `nsenter`,
 * because `ip netns exec` would remount /sys and hide the control groups.
 */
export class OwnNetwork implements AsyncDisposable {
  readonly #name: string;

  private constructor(name: string) {
    this.#name = name;
  }

  static async create(): Promise<OwnNetwork> {
    const name = `dormouse-e2e-${process.pid}`;
    await mustRun('ip', ['netns', 'add', name]);
    const network = new OwnNetwork(name);
    await mustRun(...network.inside('ip', ['link', 'set', 'lo', 'up']));
    return network;
  }

  /** Program and arguments that run the given ones inside. */
  inside(program: string, args: readonly string[]): [program: string, args: string[]] {
    return ['nsenter', [`--net=/run/netns/${this.#name}`, program, ...args]];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await mustRun('ip', ['netns', 'delete', this.#name]);
  }
}
