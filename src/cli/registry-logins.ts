import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { parseImageReference } from '#apis/knative/image-reference.ts';
import { ImageError, type RegistryCredential } from '#apis/runtime/image-service.ts';
import { credentialsOfLogins, type RegistryLogin } from '#apis/runtime/registry-credentials.ts';
import { fileError, UserError } from '#core/errors.ts';
import { flagOption, textOption, type Invocation } from '#cli/command.ts';

const helperMs = 30_000;

interface DockerConfig {
  readonly auths?: Readonly<Record<string, RegistryLogin>>;
  readonly credsStore?: string;
  readonly credHelpers?: Readonly<Record<string, string>>;
}

/** What to send to the registry of an image: what the options say, else the logins of this user's other tools. */
export async function registryLogins(invocation: Invocation, image: string): Promise<readonly RegistryCredential[]> {
  const registry = registryOf(image);
  const given = await givenLogin(invocation, registry);
  if (given !== undefined) return [given];
  const found: RegistryCredential[] = [];
  for (const { file, wanted } of loginFiles(invocation)) {
    const config = readConfig(file, wanted);
    if (config === undefined) continue;
    const helper = config.credHelpers?.[registry] ?? config.credsStore;
    if (helper !== undefined) found.push(...(await askHelper(helper, registry, invocation)));
    found.push(...credentialsOfLogins(config.auths ?? {}));
  }
  return found;
}

/** Adds to a registry's refusal how to log in. */
export function withLoginHint(error: unknown, image: string): unknown {
  if (!(error instanceof ImageError) || !/access denied|failed to authorize|\b40[13]\b/.test(error.message)) return error;
  const hint = `Log in with "docker login ${registryOf(image)}" (or podman, skopeo), or give --creds USER:PASSWORD.`;
  return new UserError(error.message, { hint, cause: error });
}

/** A name that cannot be read has no registry: the store says what is wrong with it. */
function registryOf(image: string): string {
  try {
    return parseImageReference(image).registry;
  } catch {
    return '';
  }
}

async function givenLogin(invocation: Invocation, registry: string): Promise<RegistryCredential | undefined> {
  const [pair, user] = [textOption(invocation, 'creds'), textOption(invocation, 'username')];
  const fromInput = flagOption(invocation, 'password-stdin');
  if (pair !== undefined) {
    if (user !== undefined || fromInput) throw new UserError('--creds cannot be given with --username and --password-stdin');
    const colon = pair.indexOf(':');
    if (colon < 1) throw new UserError('--creds is not USER:PASSWORD');
    return { registry, username: pair.slice(0, colon), password: pair.slice(colon + 1) };
  }
  if (user === undefined && !fromInput) return undefined;
  if (user === undefined || !fromInput) throw new UserError('--username and --password-stdin go together');
  return { registry, username: user, password: (await text(process.stdin)).replace(/\r?\n$/, '') };
}

/** Where skopeo and podman, then Docker, keep what they are told; a file that was asked for by name has to be there. */
function loginFiles(invocation: Invocation): readonly { readonly file: string; readonly wanted: boolean }[] {
  const { environment } = invocation;
  const named = textOption(invocation, 'authfile') ?? environment['REGISTRY_AUTH_FILE'];
  if (named !== undefined && named !== '') return [{ file: named, wanted: true }];
  const home = environment['HOME'] ?? homedir();
  const runtime = environment['XDG_RUNTIME_DIR'];
  return [
    ...(runtime === undefined ? [] : [join(runtime, 'containers', 'auth.json')]),
    join(environment['XDG_CONFIG_HOME'] ?? join(home, '.config'), 'containers', 'auth.json'),
    join(environment['DOCKER_CONFIG'] ?? join(home, '.docker'), 'config.json'),
  ].map((file) => ({ file, wanted: false }));
}

function readConfig(file: string, wanted: boolean): DockerConfig | undefined {
  let content: string;
  try {
    content = readFileSync(file, 'utf8');
  } catch (error) {
    if (!wanted) return undefined;
    throw fileError(error) ?? error;
  }
  try {
    return JSON.parse(content) as DockerConfig;
  } catch (error) {
    throw new UserError(`${file} is not JSON: ${(error as Error).message}`, { cause: error });
  }
}

/** Docker's credential helper protocol: the registry goes in, a login or a refusal comes out. Without one it goes on, and says so. */
async function askHelper(name: string, registry: string, { stderr, signal }: Invocation): Promise<readonly RegistryCredential[]> {
  const program = `docker-credential-${name}`;
  const server = registry === 'index.docker.io' ? 'https://index.docker.io/v1/' : registry;
  const child = spawn(program, ['get'], {
    stdio: ['pipe', 'pipe', 'ignore'],
    signal: AbortSignal.any([signal, AbortSignal.timeout(helperMs)]),
  });
  const ended = new Promise<number | Error>((resolve) => child.once('error', resolve).once('close', (code) => resolve(code ?? 1)));
  child.stdin.on('error', () => {});
  child.stdin.end(server);
  const [said, result] = await Promise.all([text(child.stdout), ended]);
  signal.throwIfAborted();
  if (result instanceof Error) stderr.write(`${program} cannot be asked for a login: ${result.message}\n`);
  if (result !== 0) return [];
  const { Username: username = '', Secret: secret = '' } = loginIn(said, program);
  if (username === '<token>') return [{ registry, username: '', password: '', identityToken: secret }];
  return [{ registry, username, password: secret }];
}

function loginIn(said: string, program: string): { readonly Username?: string; readonly Secret?: string } {
  try {
    return JSON.parse(said) as { Username?: string; Secret?: string };
  } catch (error) {
    throw new UserError(`${program} answered with something that is not JSON`, {
      cause: error,
      hint: `Try "echo REGISTRY | ${program} get", or remove it from credHelpers and credsStore of Docker's config.json.`,
    });
  }
}
