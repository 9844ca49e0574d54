import { context, propagation, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, TracerProvider, type SpanExporter } from '@opentelemetry/sdk-trace';

export interface Telemetry {
  /** Exports what is buffered and stops. Never throws: losing spans must not fail a shutdown. */
  shutdown(): Promise<void>;
}

/**
 * Starts tracing for this process. Spans go to the OTLP collector where `otlpEndpoint` (its base URL) is given,
 * else to `store`, from which `GET /v1/runs/:id/trace` reads.
 */
export function startTelemetry(options: {
  service: string;
  otlpEndpoint?: string | undefined;
  store: SpanExporter;
}): Telemetry {
  const exporter = options.otlpEndpoint
    ? new OTLPTraceExporter({ url: `${options.otlpEndpoint.replace(/\/$/, '')}/v1/traces` })
    : options.store;
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': `hammerline-${options.service}` }),
    spanProcessors: [new BatchSpanProcessor({ exporter, scheduledDelayMillis: 250 })],
  });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(provider);
  return {
    shutdown: async () => {
      await provider.shutdown().catch(() => undefined);
    },
  };
}
