import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorText, UserError } from '#core/errors.ts';

const runDirFile = 'run-directory';

/** Where things are in a data directory, and the short-lived files that go with it. */
export interface Layout {
  readonly dataDir: string;
  /** Six hex digits that tell this platform's host-wide names from another's. */
  readonly id: string;
  /** Short, because a unix socket's path ends at 107 bytes. */
  readonly runDir: string;
  readonly database: string;
  readonly kubeconfig: string;
  readonly pkiDir: string;
  readonly imagesDir: string;
  readonly nodeDir: string;
  readonly gatewayDir: string;
  readonly logsDir: string;
  readonly configFile: string;
  /** Ports chosen last time, so that URLs stay the same. */
  readonly stateFile: string;
  /** Names the format of the directory. */
  readonly versionFile: string;
  readonly supervisorSocket: string;
  /** Where an ordinary user's pods come in to the gateway. */
  readonly gatewaySocket: string;
  /** The same with TLS. */
  readonly gatewayTlsSocket: string;
  /** Where an ordinary user's node, which is in a network of its own, finds its way to registries. */
  readonly outboundSocket: string;
}

export function layoutOf(dataDir: string): Layout {
  const id = createHash('sha256').update(dataDir).digest('hex').slice(0, 6);
  const runDir = usedRunDir(dataDir) ?? join(runBase(), `dormouse-${id}`);
  return {
    dataDir,
    id,
    runDir,
    database: join(dataDir, 'state.db'),
    kubeconfig: join(dataDir, 'kubeconfig'),
    pkiDir: join(dataDir, 'pki'),
    imagesDir: join(dataDir, 'images'),
    nodeDir: join(dataDir, 'node'),
    gatewayDir: join(dataDir, 'gateway'),
    logsDir: join(dataDir, 'logs'),
    configFile: join(dataDir, 'config.yaml'),
    stateFile: join(dataDir, 'ports.json'),
    versionFile: join(dataDir, 'version'),
    supervisorSocket: join(runDir, 'supervisor.sock'),
    gatewaySocket: join(runDir, 'gateway.sock'),
    gatewayTlsSocket: join(runDir, 'gateway-tls.sock'),
    outboundSocket: join(runDir, 'outbound.sock'),
  };
}

/** What the container engine is given of the layout. */
export function engineDirectories({ nodeDir, runDir }: Layout): { readonly dataDir: string; readonly runDir: string } {
  return { dataDir: join(nodeDir, 'engine'), runDir: join(runDir, 'engine') };
}

/** Creates the directories, readable by their owner alone. UserError where that cannot be. */
export function createDirectories(layout: Layout): void {
  try {
    makeDirectories(layout);
  } catch (error) {
    throw new UserError(`the platform's data cannot be kept in ${layout.dataDir}: ${errorText(error)}`, {
      hint: 'Give a directory of your own with --data-dir.',
      cause: error,
    });
  }
}

function makeDirectories(layout: Layout): void {
  for (const directory of [
    layout.dataDir,
    layout.runDir,
    layout.pkiDir,
    layout.imagesDir,
    layout.nodeDir,
    layout.gatewayDir,
    layout.logsDir,
  ]) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  }
  writeFileSync(join(layout.dataDir, runDirFile), `${layout.runDir}\n`);
  chmodSync(layout.dataDir, 0o700);
  chmodSync(layout.runDir, 0o700);
}

/**
 * The run directory the platform used last, while it is there. Where it lies depends on the session's environment; a command from another session
 * (`su`, cron) has to find the same one, and a second platform the first one's lock.
 */
function usedRunDir(dataDir: string): string | undefined {
  try {
    const directory = readFileSync(join(dataDir, runDirFile), 'utf8').trim();
    return existsSync(directory) ? directory : undefined;
  } catch {
    return undefined;
  }
}

function runBase(): string {
  if (process.getuid?.() === 0) return '/run';
  const own = process.env['XDG_RUNTIME_DIR'];
  return own !== undefined && own !== '' && own.length < 40 ? own : `/tmp`;
}
