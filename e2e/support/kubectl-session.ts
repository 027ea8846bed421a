import type { TestPlatform } from './platform.ts';
import type { Result, RunOptions } from './run.ts';

/** One kubectl in a namespace of its own. */
export class Session {
  readonly namespace: string;
  readonly program: string;
  readonly #platform: () => TestPlatform;

  constructor(platform: () => TestPlatform, program: string, namespace: string) {
    this.#platform = platform;
    this.program = program;
    this.namespace = namespace;
  }

  get platform(): TestPlatform {
    return this.#platform();
  }

  /** A command that has to succeed. */
  ok(...args: readonly string[]): Promise<string> {
    return this.platform.kubectl(['-n', this.namespace, ...args], { program: this.program });
  }

  try(args: readonly string[], options: RunOptions = {}): Promise<Result> {
    return this.platform.tryKubectl(['-n', this.namespace, ...args], { program: this.program, ...options });
  }

  /** A command that reads `-f -`. */
  async feed(input: object, ...args: readonly string[]): Promise<string> {
    const command = ['-n', this.namespace, ...args, '-f', '-'];
    return this.platform.kubectl(command, { program: this.program, input: JSON.stringify(input) });
  }

  /** One field of an object, by JSONPath. */
  field(path: string, ...object: readonly string[]): Promise<string> {
    return this.ok('get', ...object, '-o', `jsonpath={${path}}`);
  }
}
