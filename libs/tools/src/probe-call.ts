import type { ProbeResult } from '#libs/contracts';
import { truncated } from './call-result.js';
import type { CallContext } from './execute-call.js';
import { exchangeHttp, valueOf } from './http-exchange.js';
import { buildHttpRequest, type HttpRequest, pathParameters } from './http-request.js';
import type { Tool } from './toolset.js';

/**
 * Asks a tool what became of a call, by its probe, within the tool's timeout. Never throws: what is no clear answer is
 * `unclear`. The call's id goes along as Idempotency-Key; of its arguments, only what the probe's url names.
 */
export async function probeCall(
  { probe, timeoutMs, maxResultBytes }: Tool,
  call: { id: string; arguments: Record<string, unknown> },
  { env, signal, traceparent }: Pick<CallContext, 'env' | 'signal' | 'traceparent'>,
): Promise<ProbeResult> {
  if (!probe) return unclear('the tool has no probe');
  let request: HttpRequest;
  try {
    const named = pathParameters(probe.url).map((name) => [name, call.arguments[name]]);
    const asked = { id: call.id, arguments: Object.fromEntries(named) as Record<string, unknown> };
    request = buildHttpRequest({ kind: 'http', method: 'GET', ...probe }, asked, env, traceparent);
  } catch (error) {
    return unclear(error instanceof Error ? error.message : String(error));
  }
  const signals = [AbortSignal.timeout(timeoutMs), ...(signal ? [signal] : [])];
  const exchange = await exchangeHttp(request, {
    maxBytes: () => maxResultBytes,
    signal: AbortSignal.any(signals),
  });
  if (exchange.kind !== 'answered') return unclear(exchange.reason);
  const { status, body, text } = exchange;
  if (status === 404 || status === 410) return { state: 'absent' };
  if (status < 200 || status >= 300) return unclear(`HTTP ${status}`);
  if (body === 'whole') return { state: 'succeeded', result: valueOf(exchange) };
  if (body === 'cut') return { state: 'succeeded', result: truncated(text, maxResultBytes) };
  return unclear(body.reason);
}

function unclear(reason: string): ProbeResult {
  return { state: 'unclear', reason };
}
