import { LaunchError } from '#providers/local/machine/launcher.ts';

/** No sandbox or container of that name. */
export class NotFoundError extends Error {
  constructor(what: string) {
    super(`${what} not found`);
    this.name = 'NotFoundError';
  }
}

/** A container or a command in it could not be started; the message is the one kubectl users know from other runtimes. */
export class StartError extends Error {
  /** `ENOENT`, `EACCES`: why the command could not be executed, when that was the reason. */
  readonly code: string;

  constructor(cause: unknown, complaint: string) {
    super(startMessage(cause, complaint), { cause });
    this.name = 'StartError';
    this.code = cause instanceof LaunchError ? cause.code : '';
  }
}

const reasons: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  ENOEXEC: 'exec format error',
  ENOTDIR: 'not a directory',
  E2BIG: 'argument list too long',
};

function startMessage(cause: unknown, complaint: string): string {
  if (!(cause instanceof LaunchError)) return cause instanceof Error ? cause.message : String(cause);
  if (cause.step.startsWith('exec: ')) {
    const missing = cause.step.includes('/') ? 'no such file or directory' : 'executable file not found in $PATH';
    return `${cause.step}: ${cause.code === 'ENOENT' ? missing : (reasons[cause.code] ?? cause.code)}`;
  }
  // An OCI runtime's exit code says nothing beside its own words.
  return complaint === '' ? cause.message : cause.step.endsWith(' run') ? complaint : `${cause.message}: ${complaint}`;
}
