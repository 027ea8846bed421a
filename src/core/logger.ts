import { writeSync } from 'node:fs';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFields = Readonly<Record<string, unknown>>;

/**
 * Structured log. Messages are constant lower-case text; what varies goes into `fields`.
 * `error` means somebody must act.
 */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds `fields` (by convention at least `component`) to every line. */
  child(fields: LogFields): Logger;
}

const order: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

/** Writes one JSON object a line to `write`; levels below `level` are dropped. Errors in fields keep message, stack and cause. */
export function jsonLogger(write: (line: string) => void, level: LogLevel = 'info', base: LogFields = {}): Logger {
  const emit = (at: LogLevel, message: string, fields?: LogFields) => {
    if (order[at] < order[level]) return;
    write(JSON.stringify({ time: new Date().toISOString(), level: at, ...base, message, ...fields }, errorReplacer) + '\n');
  };
  return {
    debug: (message, fields) => emit('debug', message, fields),
    info: (message, fields) => emit('info', message, fields),
    warn: (message, fields) => emit('warn', message, fields),
    error: (message, fields) => emit('error', message, fields),
    child: (fields) => jsonLogger(write, level, { ...base, ...fields }),
  };
}

/**
 * Writes a line to standard error at once. On a full disk the line is lost, and later ones are written again when there is space: a
 * stream would fail once and for all, and take the process with it.
 */
export function writeLogLine(line: string): void {
  try {
    writeSync(2, line);
  } catch {
    // There is nowhere left to say it.
  }
}

/** Drops everything; the default of tests. */
export const silentLogger: Logger = jsonLogger(() => {}, 'error');

function errorReplacer(_key: string, value: unknown): unknown {
  if (!(value instanceof Error)) return typeof value === 'bigint' ? String(value) : value;
  return { message: value.message, stack: value.stack, ...(value.cause === undefined ? {} : { cause: value.cause }) };
}
