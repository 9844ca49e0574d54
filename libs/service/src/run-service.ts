import { HammerlineError } from '#libs/contracts';
import { createLogger, type Logger } from '#libs/telemetry';

/** A drained process exits within this; orchestrators must wait longer before they kill it. */
const SHUTDOWN_WITHIN_MS = 25_000;

/**
 * The life of one process: start, tell the supervisor (`{type:'ready', url}` over IPC), serve until SIGTERM, SIGINT or
 * the supervisor's death, close, exit 0. A start that fails ends in one readable line on stderr and exit 1.
 */
export async function runService(
  service: string,
  start: (log: Logger) => Promise<{ url: string; close(): Promise<void> }>,
): Promise<void> {
  const log = createLogger(service);
  process.on('unhandledRejection', (error) => {
    log.fatal({ err: error }, 'a promise was rejected and nobody handled it');
    process.exit(1);
  });
  try {
    const running = await start(log);
    const stop = (reason: string): void => {
      for (const signal of ['SIGTERM', 'SIGINT', 'disconnect']) process.removeAllListeners(signal);
      log.info({ reason }, 'stopping');
      setTimeout(() => {
        log.error('did not drain in time');
        process.exit(1);
      }, SHUTDOWN_WITHIN_MS).unref();
      running.close().then(
        () => process.exit(0),
        (error: unknown) => {
          log.error({ err: error }, 'failed to stop cleanly');
          process.exit(1);
        },
      );
    };
    process.once('SIGTERM', () => stop('SIGTERM'));
    process.once('SIGINT', () => stop('SIGINT'));
    process.once('disconnect', () => stop('the supervisor is gone'));
    process.send?.({ type: 'ready', url: running.url });
    log.info({ url: running.url }, 'ready');
  } catch (error) {
    process.stderr.write(`hammerline ${service}: ${startUpLine(error)}\n`);
    process.exit(1);
  }
}

function startUpLine(error: unknown): string {
  if (error instanceof HammerlineError) return error.message;
  if (!(error instanceof Error)) return String(error);
  if ('code' in error && error.code === 'EADDRINUSE') {
    const { port } = error as { port?: number };
    return `port ${port ?? ''} is in use: stop what listens there or set PORT to another one.`;
  }
  return process.env['LOG_LEVEL'] === 'debug' ? (error.stack ?? error.message) : error.message;
}
