import {
  context,
  propagation,
  ROOT_CONTEXT,
  SpanStatusCode,
  trace,
  type Attributes,
  type Context,
  type Span,
  type SpanKind,
} from '@opentelemetry/api';
import { ATTR } from './names.js';

export interface SpanOptions {
  kind: SpanKind;
  attributes?: Attributes;
  /** W3C traceparent of the span to continue; absent: the active span. */
  parent?: string | undefined;
  /** Also link to the parent, as the messaging conventions ask of a consumer. */
  linkParent?: boolean;
}

/** Runs `work` inside a span. What it throws marks the span as failed, with `error.type`, and is thrown on. */
export async function inSpan<T>(
  name: string,
  options: SpanOptions,
  work: (span: Span) => Promise<T>,
): Promise<T> {
  const parent = options.parent === undefined ? context.active() : contextOf(options.parent);
  const parentSpan = trace.getSpanContext(parent);
  const span = trace.getTracer('hammerline').startSpan(
    name,
    {
      kind: options.kind,
      ...(options.attributes && { attributes: options.attributes }),
      ...(options.linkParent && parentSpan && { links: [{ context: parentSpan }] }),
    },
    parent,
  );
  try {
    return await context.with(trace.setSpan(parent, span), work, undefined, span);
  } catch (error) {
    failSpan(span, error instanceof Error && 'code' in error ? String(error.code) : 'error', error);
    throw error;
  } finally {
    span.end();
  }
}

/** Marks a span as failed. `type` is a low-cardinality word: an error code. */
export function failSpan(span: Span, type: string, cause?: unknown): void {
  span.setAttribute(ATTR.errorType, type);
  span.setStatus({
    code: SpanStatusCode.ERROR,
    ...(cause instanceof Error && { message: cause.message }),
  });
}

/** W3C traceparent of the active span, or undefined outside of one. */
export function activeTraceparent(): string | undefined {
  const carrier: { traceparent?: string } = {};
  propagation.inject(context.active(), carrier);
  return carrier.traceparent;
}

/** The trace id inside a W3C traceparent. */
export function traceIdOf(traceparent: string): string {
  return traceparent.split('-')[1] ?? '';
}

function contextOf(traceparent: string): Context {
  return propagation.extract(ROOT_CONTEXT, { traceparent });
}
