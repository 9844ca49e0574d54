import { HammerlineError } from '#libs/contracts';
import { createLogger, type Logger } from '#libs/telemetry';
import type { z } from 'zod';
import { readConfig, type ServiceConfig } from './config.js';

/** A drained process exits within this; orchestrators must wait longer before they kill it. */
const SHUTDOWN_WITHIN_MS = 25_000;
/** `disconnect`: the supervisor is gone. */
const STOP_SIGNALS = ['SIGTERM', 'SIGINT', 'disconnect'] as const;

/**
 * The life of one process: read the configuration, start, tell the supervisor (`{type:'ready', url}` over IPC), serve
 * until SIGTERM, SIGINT or the supervisor's death, close, exit 0. A start that fails ends in one readable line on stderr
 * and exit 1.
 */
export async function runService<C extends Pick<z.infer<typeof ServiceConfig>, 'LOG_LEVEL'>>(
  service: string,
  schema: z.ZodType<C>,
  start: (config: C, log: Logger) => Promise<{ url: string; close(): Promise<void> }>,
): Promise<void> {
  let running: { close(): Promise<void> } | undefined;
  let log: Logger | undefined;
  const stop = (reason: string): void => {
    for (const signal of STOP_SIGNALS) process.removeAllListeners(signal);
    log?.info({ reason }, 'stopping');
    // Still starting: it has taken no work yet that a clean end would have to finish.
    if (!running) process.exit(0);
    setTimeout(() => {
      log?.error('did not drain in time');
      process.exit(1);
    }, SHUTDOWN_WITHIN_MS).unref();
    running.close().then(
      () => process.exit(0),
      (error: unknown) => {
        log?.error({ err: error }, 'failed to stop cleanly');
        process.exit(1);
      },
    );
  };
  // Before anything else: a container's process 1 that has no handler yet ignores the signal.
  for (const signal of STOP_SIGNALS) process.once(signal, () => stop(signal));
  process.on('unhandledRejection', (error) => {
    log?.fatal({ err: error }, 'a promise was rejected and nobody handled it');
    process.exit(1);
  });
  try {
    const config = readConfig(schema, process.env);
    log = createLogger(service, config.LOG_LEVEL);
    const started = await start(config, log);
    running = started;
    process.send?.({ type: 'ready', url: started.url });
    // Whether it can do its work is for /readyz to say.
    log.info({ url: started.url }, 'listening');
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
