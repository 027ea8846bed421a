import { join } from 'node:path';
import type { Clock } from '#core/clock.ts';
import type { Resolved } from '#core/config.ts';
import type { Logger } from '#core/logger.ts';
import { bindSocket } from '#gateway/transport/bindings.ts';
import type { Layout } from '#platform/layout.ts';
import { choosePorts, listenAddress, type Ports } from '#platform/ports.ts';
import { roles, type Role } from '#platform/process-config.ts';
import type { PlatformSettings, settings } from '#platform/settings.ts';
import { Child, type ChildStatus } from '#platform/supervisor/child.ts';
import { version } from '#platform/version.ts';

/** The platform's processes and the ports they have. */
export class Processes {
  readonly #layout: Layout;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #children = new Map<Role, Child>();
  #ports: Ports = {} as Ports;
  /** Claims of ports, and sockets. */
  #held = new DisposableStack();

  constructor(layout: Layout, { clock, logger }: { clock: Clock; logger: Logger }) {
    this.#layout = layout;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Empty until they are chosen. */
  get ports(): Ports {
    return this.#ports;
  }

  get(role: Role): Child | undefined {
    return this.#children.get(role);
  }

  status(): ChildStatus[] {
    return [...this.#children.values()].map((child) => child.status());
  }

  /** Chooses the ports and keeps other platforms from them until the processes are stopped. */
  async choosePorts({ values, origins }: Resolved<typeof settings>): Promise<Ports> {
    this.#ports = await choosePorts(values, origins, this.#layout.stateFile, this.#held);
    return this.#ports;
  }

  /** Starts them on the chosen ports; resolves when all are ready, rejects when one cannot be. */
  async start(values: PlatformSettings): Promise<void> {
    // Held here, so that connections wait in the kernel instead of being refused while a gateway is started again.
    const descriptors = (['httpPort', 'httpsPort', 'adminPort'] as const).map((name) => {
      const socket = bindSocket(listenAddress(name, values.listen), this.#ports[name]);
      this.#held.defer(() => socket.close());
      return socket.fd;
    });
    const config = { version, settings: values, layout: this.#layout, ports: this.#ports };
    const [clock, logger] = [this.#clock, this.#logger];
    for (const role of roles) {
      const logFile = join(this.#layout.logsDir, `${role}.log`);
      const inherited = role === 'gateway' ? descriptors : [];
      this.#children.set(
        role,
        new Child({ config: { ...config, role }, entry: entryOf(role), logFile, descriptors: inherited, clock, logger }),
      );
    }
    await Promise.all([...this.#children.values()].map((child) => child.start()));
  }

  /** From now on their end is no accident. */
  expectStop(): void {
    for (const child of this.#children.values()) child.expectStop();
  }

  /** Stops them in order and lets go of the ports; they may be started anew, on ports chosen anew. */
  async stop(cleanUp: boolean): Promise<void> {
    this.expectStop();
    for (const role of ['gateway', 'node', 'control'] as const) await this.#children.get(role)?.stop(cleanUp);
    this.#held.dispose();
    this.#held = new DisposableStack();
  }
}

/** The module a process runs: a source file beside this one, or a bundle beside the bundled program. */
function entryOf(role: Role): URL {
  return new URL(import.meta.url.endsWith('.ts') ? `../${role}/main.ts` : `./process-${role}.js`, import.meta.url);
}
