import { context, propagation, SpanKind, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import {
  InMemorySpanExporter,
  SimpleSpanProcessor,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { inSpan } from '#libs/telemetry';
import {
  type ScriptedServer,
  startScriptedServer,
} from '../../../../test/support/scripted-server.js';
import type { ModelServer } from './model-server.js';
import { OpenAiServer } from './openai.js';
import { TritonServer } from './triton.js';

const exporter = new InMemorySpanExporter();
let server: ScriptedServer;

beforeAll(async () => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(
    new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }),
  );
  server = await startScriptedServer((_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).end();
  });
});

afterAll(async () => {
  await server.close();
  trace.disable();
  context.disable();
  propagation.disable();
});

it.each<[string, () => ModelServer]>([
  [
    'Triton',
    () =>
      new TritonServer({ urls: [server.url], model: 'm', balance: 'affinity', stallMs: 10_000 }),
  ],
  [
    'openai',
    () =>
      new OpenAiServer({ baseUrl: server.url, api: 'completions', model: 'm', stallMs: 10_000 }),
  ],
])('%s: the trace goes on at the server, and the span says which one it was', async (_, make) => {
  exporter.reset();
  const asked = make();
  await inSpan('chat m', { kind: SpanKind.CLIENT }, async () => {
    const question = {
      prompt: { prefix: [], suffix: [] },
      constraint: undefined,
      guidance: 'off' as const,
      maxTokens: 1,
      stop: [],
      affinity: undefined,
      signal: new AbortController().signal,
    };
    for await (const piece of asked.answer(question)) expect(piece).toBe('none came');
  });
  await asked.close();
  const [span] = exporter.getFinishedSpans();
  // Triton is also asked whether it is ready, beside the question.
  const question = server.requests.findLast(({ body }) => body !== '');
  expect(question?.headers['traceparent']).toContain(span?.spanContext().spanId);
  const { hostname, port } = new URL(server.url);
  expect(span?.attributes).toMatchObject({
    'server.address': hostname,
    'server.port': Number(port),
  });
});
