import type { CallResult } from '#libs/contracts';
import { failed, tooLarge, uncertain } from './call-result.js';
import type { CallContext } from './execute-call.js';
import { exchangeHttp, valueOf } from './http-exchange.js';
import { buildHttpRequest, type HttpSpec, type StatusMeaning } from './http-request.js';
import type { Tool } from './toolset.js';

/** How much of an error's body is read, and how much of that an error message quotes. */
const maxErrorBytes = 4_096;
const snippetLength = 300;
/** Answers that ask for another time. */
const passing = new Set([408, 425, 429]);
/** They also follow a form that was carried out. */
const elsewhere = new Set([302, 303]);

/**
 * Makes one call over HTTP: one request on a fresh connection; no redirect is followed, nothing is tried twice. It
 * claims no more than it knows: a call whose connection was never made has failed (`not sent: …`, and may be made
 * again); a `once` call without a clear answer ends `outcome_unknown`.
 *
 * @param signal ends the call; a reason named `TimeoutError` reads as a timeout, any other as `cancelled`
 * @throws HammerlineError `tool_failed` if the request cannot be built, which another time would not mend
 */
export async function callHttp(
  { effect, maxResultBytes }: Pick<Tool, 'effect' | 'maxResultBytes'>,
  spec: HttpSpec,
  call: { id: string; arguments: Record<string, unknown> },
  { env, signal, mayStart, traceparent }: CallContext & { signal: AbortSignal },
): Promise<CallResult> {
  const meaning = (status: number): StatusMeaning => spec.statuses?.[status] ?? usual(status);
  const request = buildHttpRequest(spec, call, env, traceparent);
  const exchange = await exchangeHttp(request, {
    signal,
    mayStart,
    maxBytes: (status) =>
      meaning(status) === 'succeeded' ? maxResultBytes : Math.min(maxResultBytes, maxErrorBytes),
  });
  if (exchange.kind !== 'answered') {
    const { kind, code, reason } = exchange;
    return kind === 'not_sent'
      ? failed(code, `not sent: ${reason}`, 'not_sent')
      : uncertain(effect, { code, message: reason });
  }
  const { status, body, text } = exchange;
  const snippet = text.trim().slice(0, snippetLength);
  const redirect = status >= 300 && status < 400 ? ' (redirects are not followed)' : '';
  const message = `HTTP ${status}${redirect}${snippet === '' ? '' : `: ${snippet}`}`;
  switch (meaning(status)) {
    case 'succeeded':
      if (body === 'whole') return { state: 'succeeded', result: valueOf(exchange) };
      if (body === 'cut') return tooLarge(effect, maxResultBytes, text);
      return uncertain(effect, {
        code: body.code,
        message: `HTTP ${status}, but the answer broke off`,
      });
    case 'failed':
      return failed('tool_failed', message);
    case 'outcome_unknown':
      return uncertain(effect, { code: 'tool_failed', message, passes: !elsewhere.has(status) });
  }
}

/** What a status says where its tool does not. */
function usual(status: number): StatusMeaning {
  if (status >= 200 && status < 300) return 'succeeded';
  const isOpen = status >= 500 || passing.has(status) || elsewhere.has(status);
  return isOpen ? 'outcome_unknown' : 'failed';
}
