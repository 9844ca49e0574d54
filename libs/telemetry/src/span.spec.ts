import { context, propagation, SpanKind, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import {
  InMemorySpanExporter,
  SimpleSpanProcessor,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { activeTraceparent, inSpan, traceIdOf } from './span.js';

const exporter = new InMemorySpanExporter();

beforeAll(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(
    new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }),
  );
});
beforeEach(() => {
  exporter.reset();
});
afterAll(() => {
  trace.disable();
  context.disable();
  propagation.disable();
});

it('carries one trace over a queue: the consumer is the producer’s child and links to it', async () => {
  let traceparent: string | undefined;
  await inSpan('send q', { kind: SpanKind.PRODUCER }, async () => {
    traceparent = activeTraceparent();
  });
  await inSpan(
    'process q',
    { kind: SpanKind.CONSUMER, parent: traceparent, linkParent: true },
    async () => undefined,
  );
  const [send, process] = exporter.getFinishedSpans();
  expect(process?.parentSpanContext?.spanId).toBe(send?.spanContext().spanId);
  expect(process?.links.map((link) => link.context.spanId)).toEqual([send?.spanContext().spanId]);
  expect(traceIdOf(traceparent ?? '')).toBe(process?.spanContext().traceId);
});

it('marks a span as failed by the code of what was thrown, and throws it on', async () => {
  const error = Object.assign(new Error('no'), { code: 'model_failed' });
  await expect(
    inSpan('work', { kind: SpanKind.INTERNAL }, () => Promise.reject(error)),
  ).rejects.toBe(error);
  expect(exporter.getFinishedSpans()[0]).toMatchObject({
    attributes: { 'error.type': 'model_failed' },
    status: { code: 2, message: 'no' },
  });
});

it('starts a new trace where the traceparent is none', async () => {
  await inSpan('work', { kind: SpanKind.SERVER, parent: 'nonsense' }, async () => undefined);
  expect(exporter.getFinishedSpans()[0]?.parentSpanContext).toBeUndefined();
});
