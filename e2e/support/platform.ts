import { chown, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { kubectls } from './kubectl.ts';
import type { OwnNetwork } from './own-network.ts';
import { mustRun, run, Running, until, type Result, type RunOptions } from './run.ts';

const launcher = fileURLToPath(new URL('../../bin/dormouse.js', import.meta.url));
const portNames = ['api', 'http', 'https', 'registry', 'kubelet', 'admin'] as const;

export interface PlatformOptions {
  /** More flags of `dormouse up`, e.g. `--runtime=namespaces`. */
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Everything runs in it, on the default ports. */
  readonly network?: OwnNetwork;
  /** The ordinary user who runs it (`setpriv`); only root can ask for one. */
  readonly user?: number;
}

/**
 * A platform of its own in a new data directory, on free ports, started with `dormouse up --detach` and ready. Disposing of it
 * stops it and removes the directory. KEEP_DATA=1 in the environment leaves the directory (logs!) in place.
 */
export async function startPlatform(options: PlatformOptions = {}): Promise<TestPlatform> {
  const dataDir = await mkdtemp(join(tmpdir(), 'dormouse-e2e-'));
  if (options.user !== undefined) await chown(dataDir, options.user, options.user);
  const platform = new TestPlatform(dataDir, options);
  try {
    await platform.up();
    return platform;
  } catch (error) {
    await platform[Symbol.asyncDispose]();
    throw error;
  }
}

export class TestPlatform implements AsyncDisposable {
  readonly dataDir: string;
  readonly #options: PlatformOptions;
  #ports: Readonly<Record<string, number>> = {};

  constructor(dataDir: string, options: PlatformOptions) {
    this.dataDir = dataDir;
    this.#options = options;
  }

  get kubeconfig(): string {
    return join(this.dataDir, 'kubeconfig');
  }

  /** Where the gateway listens: `http://127.0.0.1:PORT`. */
  get gatewayUrl(): string {
    return `http://127.0.0.1:${this.port('http')}`;
  }

  get apiUrl(): string {
    return `https://127.0.0.1:${this.port('api')}`;
  }

  port(name: (typeof portNames)[number]): number {
    const port = this.#ports[`${name}Port`];
    if (port === undefined) throw new Error('the platform has not been started');
    return port;
  }

  /** Starts it; after `down` again, on the same ports. */
  async up(): Promise<void> {
    const free = this.#options.network === undefined;
    const ports = free ? portNames.map((name) => `--${name}-port=${this.#ports[`${name}Port`] ?? 0}`) : [];
    const flags = ['--detach', ...ports, ...(this.#options.flags ?? [])];
    await this.dormouse(['up', ...flags], { timeoutMs: 120_000 });
    this.#ports = JSON.parse(await readFile(join(this.dataDir, 'ports.json'), 'utf8')) as Record<string, number>;
  }

  async down(): Promise<void> {
    await this.dormouse(['down'], { timeoutMs: 150_000 });
  }

  /** A `dormouse` command on this platform; it has to succeed. */
  dormouse(args: readonly string[], options: RunOptions = {}): Promise<string> {
    return mustRun(...this.#where(process.execPath, [launcher, ...args, `--data-dir=${this.dataDir}`]), this.#with(options));
  }

  /** A `dormouse` command on this platform with whatever result. */
  tryDormouse(args: readonly string[], options: RunOptions = {}): Promise<Result> {
    return run(process.execPath, [launcher, ...args, `--data-dir=${this.dataDir}`], this.#with(options));
  }

  /** A kubectl command that has to succeed; resolves with its standard output. */
  kubectl(args: readonly string[], options: RunOptions & { readonly program?: string } = {}): Promise<string> {
    return mustRun(...this.#where(options.program ?? defaultKubectl(), args), this.#with(options));
  }

  /** A kubectl command with whatever result. */
  tryKubectl(args: readonly string[], options: RunOptions & { readonly program?: string } = {}): Promise<Result> {
    return run(...this.#where(options.program ?? defaultKubectl(), args), this.#with(options));
  }

  /** A kubectl command that goes on: `logs -f`, `port-forward`, `get -w`. */
  startKubectl(args: readonly string[], options: RunOptions & { readonly program?: string } = {}): Running {
    return new Running(...this.#where(options.program ?? defaultKubectl(), args), this.#with(options));
  }

  /** A line as a user types it into a shell whose KUBECONFIG is the platform's; it has to succeed. */
  type(line: string, options: RunOptions = {}): Promise<string> {
    return mustRun(...this.#where('sh', ['-c', line]), this.#with(options));
  }

  /** A line whose program goes on. */
  startTyped(line: string, options: RunOptions = {}): Running {
    return new Running(...this.#where('sh', ['-c', `exec ${line}`]), this.#with(options));
  }

  /** Sends manifests (objects or YAML) to `kubectl apply`. */
  apply(...manifests: readonly (object | string)[]): Promise<string> {
    const input = manifests.map((one) => (typeof one === 'string' ? one : JSON.stringify(one))).join('\n---\n');
    return this.kubectl(['apply', '-f', '-'], { input });
  }

  /** Waits for the pod to be Ready; says what it is like instead when it does not get there. */
  async waitForPod(name: string, namespace = 'default', timeoutMs = 60_000): Promise<void> {
    const condition = `{.status.conditions[?(@.type=="Ready")].status}`;
    const get = ['get', 'pod', name, '-n', namespace, '-o', `jsonpath=${condition}`];
    try {
      await until(`pod ${name} to be ready`, async () => ((await this.tryKubectl(get)).stdout === 'True' ? true : undefined), timeoutMs);
    } catch (error) {
      const { stdout } = await this.tryKubectl(['describe', 'pod', name, '-n', namespace]);
      throw new Error(`${String(error)}\n${stdout}`, { cause: error });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down().catch((error: unknown) => console.error(error));
    if (process.env['KEEP_DATA'] === undefined) await rm(this.dataDir, { recursive: true, force: true });
    else console.error(`kept: ${this.dataDir}`);
  }

  #where(program: string, args: readonly string[]): [program: string, args: readonly string[]] {
    const { network, user } = this.#options;
    const inside = (...command: [string, readonly string[]]) => network?.inside(...command) ?? command;
    if (user === undefined) return inside(program, args);
    const ids = [`--reuid=${user}`, `--regid=${user}`, '--clear-groups'];
    return inside('setpriv', [...ids, 'env', `HOME=${this.dataDir}`, program, ...args]);
  }

  #with(options: RunOptions): RunOptions {
    return { ...options, env: { KUBECONFIG: this.kubeconfig, ...this.#options.env, ...options.env } };
  }
}

function defaultKubectl(): string {
  const program = kubectls().at(-1)?.program;
  if (program === undefined) throw new Error('kubectl is not installed');
  return program;
}
