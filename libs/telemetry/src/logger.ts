import { trace } from '@opentelemetry/api';
import { pino, type Logger } from 'pino';

export type { Logger };

/** JSON lines on stdout; lines written inside a span carry its trace id. */
export function createLogger(service: string): Logger {
  return pino({
    base: { service },
    level: process.env['LOG_LEVEL'] ?? 'info',
    mixin: () => {
      const span = trace.getActiveSpan()?.spanContext();
      return span ? { traceId: span.traceId, spanId: span.spanId } : {};
    },
  });
}
