/** A mistake of whoever typed the command or wrote the input: printed as it stands, without a stack. */
export class UserError extends Error {
  /** What to do next, shown on its own line. */
  readonly hint: string | undefined;

  constructor(message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'UserError';
    this.hint = options.hint;
  }
}

/** The text of an unknown thrown value, for messages shown to people: causes included, those that the message tells already once. */
export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.cause === undefined) return error.message;
  const cause = errorText(error.cause);
  return error.message.endsWith(cause) ? error.message : `${error.message}: ${cause}`;
}

const fileErrors: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or directory',
  EACCES: 'permission denied',
  EISDIR: 'it is a directory',
  ENOTDIR: 'part of the path is no directory',
  ENOSPC: 'no space is left on the disk',
};

/** A file a user named that cannot be used, as a UserError in plain words; undefined when the error is something else. */
export function fileError(error: unknown): UserError | undefined {
  const { code = '', path } = error as NodeJS.ErrnoException;
  const text = fileErrors[code];
  return text === undefined || path === undefined ? undefined : new UserError(`${path}: ${text}`, { cause: error });
}

/** Whether an error, or what caused it, is that the disk (or the user's share of it) is full. */
export function isDiskFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOSPC' || code === 'EDQUOT' || isDiskFull(error.cause);
}

/** Whether an error, or what caused it, is that something else listens on the port. */
export function isPortTaken(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return (error as NodeJS.ErrnoException).code === 'EADDRINUSE' || isPortTaken(error.cause);
}
