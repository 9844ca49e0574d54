import type { CallContext, Interceptor } from './transport.js';

/**
 * Sends W3C trace context (https://www.w3.org/TR/trace-context/) along with every call, so that Triton's spans join the
 * caller's trace.
 *
 * @param inject writes `traceparent` and what belongs to it, as `propagation.inject(context.active(), carrier)` of
 * `@opentelemetry/api` does
 */
export function traceContext(inject: (carrier: Record<string, string>) => void): Interceptor {
  const traced = (context: CallContext): CallContext => {
    const carrier: Record<string, string> = {};
    inject(carrier);
    return { ...context, metadata: { ...context.metadata, ...carrier } };
  };
  return (next) => ({
    unary: (call) => next.unary({ ...call, context: traced(call.context) }),
    stream: (call) => next.stream({ ...call, context: traced(call.context) }),
    close: () => next.close(),
  });
}
