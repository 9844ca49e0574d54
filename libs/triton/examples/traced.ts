// Triton's spans in the caller's trace. node traced.ts [grpc://127.0.0.1:8001]
// Needs @opentelemetry/api, /context-async-hooks, /core and /sdk-trace; an application has set these up already.
import { context, propagation, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { TracerProvider } from '@opentelemetry/sdk-trace';
import { traceContext, TritonClient } from '@hammerline/triton';

context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
propagation.setGlobalPropagator(new W3CTraceContextPropagator());
trace.setGlobalTracerProvider(new TracerProvider());

const triton = new TritonClient(process.argv[2] ?? 'grpc://127.0.0.1:8001', {
  interceptors: [traceContext((carrier) => propagation.inject(context.active(), carrier))],
});

await trace.getTracer('example').startActiveSpan('question', async (span) => {
  const { text_output } = await triton.generate({ model: 'text', fields: { text_input: 'hello' } });
  console.log(text_output);
  console.log('trace', span.spanContext().traceId);
  span.end();
});

await triton.close();
