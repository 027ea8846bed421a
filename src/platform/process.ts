import { flushCompileCache } from 'node:module';
import { connect, type Socket } from 'node:net';
import { systemClock } from '#core/clock.ts';
import { jsonLogger, writeLogLine, type Logger } from '#core/logger.ts';
import { errorText, isPortTaken, UserError } from '#core/errors.ts';
import { collectWhenIdle, limitGrowth, useLargeSlabs } from '#platform/heap.ts';
import { configVariable, type FromProcess, type ProcessConfig, type ProcessHello, type ToProcess } from '#platform/process-config.ts';
import { onLines } from '#platform/supervisor/socket.ts';

export interface ProcessContext {
  readonly config: ProcessConfig;
  readonly logger: Logger;
  /** Aborts when the process is to end. */
  readonly signal: AbortSignal;
}

/** A started process: says what it is ready with, and how to end it. */
export interface Started {
  readonly details: Readonly<Record<string, unknown>>;
  stop(cleanUp: boolean): Promise<void>;
}

const stopWithinMs = 40_000;
/** How long a SIGTERM waits for the supervisor's word. */
const signalGraceMs = 500;

/**
 * The frame of every process of the platform: reads its configuration, logs JSON lines to stderr, tells the supervisor when
 * it is ready or why it cannot be, and ends in order on SIGTERM, on the supervisor's word, or when the supervisor is gone. `before` comes before everything
 * else, and may replace the process by itself.
 */
export function runProcess(start: (context: ProcessContext) => Promise<Started>, before?: (config: ProcessConfig) => Promise<void>): void {
  const text = process.env[configVariable];
  // Without a configuration the module was only loaded.
  if (text === undefined) return;
  useLargeSlabs();
  const config = JSON.parse(text) as ProcessConfig;
  if (before === undefined) run(config, start);
  else
    before(config).then(
      () => run(config, start),
      (error: unknown) => run(config, () => Promise.reject(error as Error)),
    );
}

function run(config: ProcessConfig, start: (context: ProcessContext) => Promise<Started>): void {
  const logger = jsonLogger(writeLogLine, config.settings.logLevel, { component: config.role });
  const controller = new AbortController();
  let started: Started | undefined;
  let stopping = false;
  const stop = (cleanUp: boolean) => {
    if (stopping) return;
    stopping = true;
    const late = setTimeout(() => {
      logger.error('process did not stop in time', { withinMs: stopWithinMs });
      process.exit(1);
    }, stopWithinMs);
    late.unref();
    controller.abort(new Error('the process is stopping'));
    Promise.resolve(started?.stop(cleanUp))
      .catch((error: unknown) => logger.error('stop failed', { error }))
      .finally(() => process.exit(0));
  };
  // A signal may have reached the whole process group, and then the supervisor decides the order in which its processes end.
  let ordered = false;
  process.on('SIGTERM', () => setTimeout(() => ordered || stop(false), signalGraceMs));
  process.on('SIGINT', () => {});
  const supervisor = attach(config, {
    heard(message) {
      if (message.type === 'stop') stop(message.cleanUp);
      else ordered = true;
    },
    gone: () => stop(false),
  });
  const tell = (message: FromProcess, sent = () => {}) => supervisor.write(`${JSON.stringify(message)}\n`, sent);
  process.on('unhandledRejection', (error) => logger.error('unhandled rejection', { error }));
  start({ config, logger, signal: controller.signal })
    .then((value) => {
      started = value;
      collectWhenIdle(systemClock, controller.signal);
      limitGrowth(systemClock, controller.signal);
      tell({ type: 'ready', details: value.details });
      // Not only when it ends: the next one may be started before, and at once.
      flushCompileCache();
    })
    .catch((error: unknown) => {
      logger.error('start failed', { error });
      // What is meant for the user says its cause itself.
      const { message, hint } = error instanceof UserError ? error : { message: errorText(error), hint: undefined };
      tell({ type: 'failed', message, portTaken: isPortTaken(error), ...(hint === undefined ? {} : { hint }) }, () => process.exit(1));
    });
}

function attach({ layout, role }: ProcessConfig, on: { heard(message: ToProcess): void; gone(): void }): Socket {
  const socket = connect(layout.supervisorSocket);
  const hello: ProcessHello = { command: 'attach', role, pid: process.pid };
  socket.write(`${JSON.stringify(hello)}\n`);
  socket.on('error', () => {});
  socket.on('close', () => on.gone());
  onLines(socket, (line) => on.heard(JSON.parse(line) as ToProcess));
  return socket;
}
